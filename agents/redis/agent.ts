import { setTimeout as sleep } from "node:timers/promises";
import type { RedisAgentView } from "../../model/views";
import { log, messageOf, writeWhole } from "../io";
import { json, serve } from "../server";
import {
  control,
  noMemory,
  readiness,
  type ControlMemory,
  type RoleChange,
  type Situation,
} from "./control";
import { appUser, follow, handOver } from "./leave";
import type { Link } from "./link";
import { Members } from "./members";
import { Metrics } from "./metrics";
import { chosenPassword, passwordAt, type MemberAccounts } from "./passwords";
import * as paths from "./paths";
import { Programs, type Told } from "./programs";
import { downSentinels } from "./replies";
import { decideStart } from "./start";
import { agreedMaster, newestWord, text, type Address } from "./topology";

const tickMs = 250;
const healthIntervalMs = 2000;
/** Time for a program to end by itself. */
const stopMs = 3000;
/** Milliseconds between two requests for a failover. */
const askAgainMs = 1000;
/** Members look for Sentinels that are none of theirs in turns of this length. */
const turnMs = 10_000;

export interface AgentFiles {
  readonly view: RedisAgentView;
  readonly accounts: MemberAccounts;
  /** The stack's authority, PEM. */
  readonly ca: string;
}

/** What `status` prints. */
export interface RedisStatus {
  readonly node: string;
  readonly ready: boolean;
  readonly draining: boolean;
  readonly role: "master" | "replica" | null;
  /** The master that the majority names; where there is no majority, as far as this node knows. */
  readonly master: string | null;
  /** True while the application is kept away, because this node sees no majority. */
  readonly fenced: boolean;
  readonly reason: string | null;
}

/** First process of a Redis node: runs Redis and Sentinel, and makes the one follow the others. */
export class Agent {
  private readonly view: RedisAgentView;
  private readonly accounts: MemberAccounts;
  private readonly self: Address;
  private readonly members: Members;
  private readonly programs: Programs;
  private readonly metrics = new Metrics();
  private memory: ControlMemory = noMemory;
  private fenced = true;
  private draining = false;
  /** The master that Sentinel was started with. */
  private begunWith: Address | undefined;
  private ticking = false;
  private tickedAt = performance.now();
  private turn = -1;
  /** Why the last tick failed, told once. */
  private problem = "";

  constructor({ view, accounts, ca }: AgentFiles) {
    this.view = view;
    this.accounts = accounts;
    this.self = { host: view.address, port: view.port };
    this.members = new Members(view, ca, "agent", accounts.agent.passwords);
    this.programs = new Programs({
      view,
      accounts,
      members: this.members,
      passwordIndex: () => this.passwordIndex(),
      decideRedis: () => void this.startRedis(),
      onUnaskedEnd: (program) => this.metrics.restarts.inc({ program }),
    });
  }

  /** Runs until SIGTERM. */
  async run(): Promise<void> {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => void this.drain());
    }
    this.serve();
    setInterval(() => this.writeHealth(), healthIntervalMs);
    // What the peers say comes before anything is started.
    await Promise.all(
      this.members.peers.flatMap(({ redis, sentinel }) => [redis.start(), sentinel.start()]),
    );
    if (this.draining) return;
    this.begunWith = this.programs.startSentinel();
    void this.members.own.sentinel.start();
    await this.startRedis();
    void this.members.own.redis.start();
    setInterval(() => void this.tick(), tickMs);
    log("started", { node: this.view.node });
  }

  status(): RedisStatus {
    const situation = this.situation();
    const { ready, reason } = this.draining
      ? { ready: false, reason: "it is stopping" }
      : readiness(this.memory, situation);
    const master = agreedMaster(situation.words, situation.members) ?? situation.redis?.master;
    return {
      node: this.view.node,
      ready,
      draining: this.draining,
      role: situation.redis?.role ?? null,
      master: master ? text(master) : null,
      fenced: this.fenced,
      reason,
    };
  }

  private situation(): Situation {
    return {
      now: performance.now(),
      node: this.view.node,
      self: this.self,
      members: this.view.members.length,
      redis: this.members.ownRedis()?.value,
      words: this.members.words(),
      problems: {
        redis: this.members.own.redis.problem,
        sentinel: this.members.own.sentinel.problem,
      },
    };
  }

  private passwordIndex(): number {
    return chosenPassword(
      this.accounts.agent.passwords.length,
      this.members.peers.map(({ node, sentinelLink }) => ({
        node,
        accepted: sentinelLink.accepted,
      })),
    );
  }

  /** Starts Redis as soon as it is clear whom it is to follow. */
  private async startRedis(): Promise<void> {
    const begun = performance.now();
    let askedAt = -askAgainMs;
    while (!this.draining) {
      const words = this.members.words();
      const decision = decideStart({
        self: this.self,
        named: newestWord(words)?.master ?? this.begunWith ?? this.self,
        peers: this.members.peerRedis().map(({ seen }) => seen.value),
        waitedMs: performance.now() - begun,
      });
      if (decision.kind === "replica" || decision.kind === "master") {
        const of = decision.kind === "replica" ? decision.of : undefined;
        log(of ? `redis starts as a replica of ${text(of)}` : "redis starts as master", {
          ...(decision.kind === "master" && { reason: decision.reason }),
        });
        // Nothing that was known of the one before holds for this one.
        this.memory = { ...noMemory, agreedAt: this.memory.agreedAt };
        this.programs.startRedis(of);
        return;
      }
      if (decision.kind === "ask for failover" && performance.now() - askedAt >= askAgainMs) {
        askedAt = performance.now();
        log("this master lost its memory: asking for a failover", {
          answer: await this.members.askForFailover(this.view.masterName),
        });
      }
      await sleep(100);
    }
  }

  private async tick(): Promise<void> {
    if (this.ticking || this.draining) return;
    this.ticking = true;
    try {
      const situation = this.situation();
      const { memory, change, fenced } = control(this.memory, situation);
      if (fenced !== this.fenced) log(fenced ? "no majority: fenced" : "majority: open");
      this.memory = memory;
      this.fenced = fenced;
      const since = Math.min(situation.now - this.tickedAt, 4 * tickMs);
      this.tickedAt = situation.now;
      const own = this.members.own;
      const { redis, sentinel } = this.programs;
      const answers = {
        redis: situation.redis !== undefined,
        sentinel: situation.words.some(({ node }) => node === this.view.node),
      };
      redis.observe(answers.redis, since);
      sentinel.observe(answers.sentinel, since);
      await Promise.all([
        this.tell(redis.told, own.redisLink, answers.redis, (index) => [
          ["CONFIG", "SET", "masterauth", passwordAt(this.accounts.replica, index)],
        ]),
        this.tell(sentinel.told, own.sentinelLink, answers.sentinel, (index) => {
          const password = passwordAt(this.accounts.sentinel, index);
          return [
            ["SENTINEL", "SET", this.view.masterName, "auth-pass", password],
            ["SENTINEL", "CONFIG", "SET", "sentinel-pass", password],
          ];
        }),
        change && this.changeRole(change),
        answers.sentinel && this.forgetStrangers(situation),
      ]);
      this.problem = "";
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.problem) log("cannot bring the node in line, trying again", { problem });
      this.problem = problem;
    } finally {
      this.ticking = false;
    }
  }

  /** Tells a running program what has changed since it was started. */
  private async tell(
    told: Told,
    link: Link,
    answers: boolean,
    passwordCommands: (index: number) => readonly (readonly string[])[],
  ): Promise<void> {
    if (!answers) return;
    const { fenced } = this;
    if (told.fenced !== fenced) {
      await link.ask("ACL", "SETUSER", appUser, fenced ? "off" : "on");
      if (fenced) await link.ask("CLIENT", "KILL", "USER", appUser);
      told.fenced = fenced;
    }
    const index = this.passwordIndex();
    if (told.passwordIndex !== index) {
      for (const [command = "", ...args] of passwordCommands(index)) {
        await link.ask(command, ...args);
      }
      told.passwordIndex = index;
      log(`presents the ${index === 0 ? "current" : "previous"} password to peers`);
    }
  }

  private async changeRole(change: RoleChange): Promise<void> {
    this.metrics.roleChanges.inc({ change: change.kind });
    const { redisLink } = this.members.own;
    if (change.kind === "become master") {
      log("the Sentinels name this node: becoming master");
      await redisLink.ask("REPLICAOF", "NO", "ONE");
    } else {
      log(`the Sentinels name ${text(change.master)}: following it`);
      await follow(redisLink, change.master);
    }
  }

  /**
   * Sentinels of members that were taken out of the settings keep their votes, and none of those
   * that are left could be elected one day. One member at a time starts its own anew without them.
   */
  private async forgetStrangers({ members, words }: Situation): Promise<void> {
    const turn = Math.floor(Date.now() / turnMs);
    if (turn === this.turn) return;
    this.turn = turn;
    const mine = this.view.members.findIndex(({ node }) => node === this.view.node);
    if (turn % members !== mine || !agreedMaster(words, members)) return;
    const { sentinelLink } = this.members.own;
    const known = await sentinelLink.ask("SENTINEL", "SENTINELS", this.view.masterName);
    const strangers = downSentinels(known).filter(
      (down) => !this.view.members.some(({ address }) => address === down),
    );
    if (strangers.length === 0) return;
    log("starting Sentinel anew without members that are gone", { addresses: strangers });
    this.programs.sentinel.program.signal("SIGTERM");
  }

  private async drain(): Promise<void> {
    if (this.draining) return;
    this.draining = true;
    const begun = performance.now();
    const outcome = await handOver(this.view, this.members, this.programs.redis.program);
    const { redis, sentinel } = this.programs;
    await Promise.all([redis.stop(stopMs), sentinel.stop(stopMs)]);
    log("stopped", { outcome, ms: Math.round(performance.now() - begun) });
    process.exit(0);
  }

  private writeHealth(): void {
    const { redis, words } = this.situation();
    const sentinel = words.some(({ node }) => node === this.view.node);
    const problem = !redis
      ? "redis does not answer"
      : !sentinel
        ? "sentinel does not answer"
        : "ok";
    writeWhole(paths.healthFile, `${problem}\n`);
  }

  private serve(): void {
    const { address, agentPort: port, tls } = this.view;
    serve(
      { address, port, tls },
      {
        "/healthz": () => json(200, { node: this.view.node }),
        "/readyz": () => {
          const status = this.status();
          return json(status.ready ? 200 : 503, status);
        },
        "/status": () => json(200, this.status()),
        "/metrics": async () => {
          const { ready } = this.status();
          const { redis, words } = this.situation();
          const body = await this.metrics.text({
            ready,
            draining: this.draining,
            fenced: this.fenced,
            master: redis && (redis.role === "master" ? 1 : 0),
            linkUp: redis?.linkUp ?? false,
            sentinelUp: words.some(({ node }) => node === this.view.node),
            sentinels: words.length,
            passwordIndex: this.passwordIndex(),
            info: redis
              ? String(
                  await this.members.own.redisLink
                    .ask("INFO", "server", "clients", "memory", "stats", "replication")
                    .catch(() => ""),
                )
              : "",
          });
          return { status: 200, type: this.metrics.contentType, body };
        },
      },
    );
  }
}
