import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { MysqlAccounts, MysqlAgentView } from "../../model/views";
import { log, messageOf, writeWhole } from "../io";
import { json, line, serve, type Page } from "../server";
import { mayApply, mayPresentCurrent } from "./accounts";
import { Database } from "./database";
import { backoffMs, decide, type Decision, type Situation } from "./decide";
import { Member } from "./member";
import { Metrics, statusNames } from "./metrics";
import { Mysqld, prepareData } from "./mysqld";
import * as paths from "./paths";
import { Peers } from "./peers";
import { MemberMemory } from "./record";
import { hasQuorum, inGroup } from "./state";
import { nextStop, successor, type StopPhase } from "./stop";

const observeIntervalMs = 200;
const stopIntervalMs = 100;
const healthIntervalMs = 2000;
/** Milliseconds after which an mysqld that answered before, and is silent, is started again. */
const hungMs = 120_000;
/** Milliseconds between attempts to bring the accounts in order. */
const accountsRetryMs = 5000;
/** Ends in a row, each soon after the start, after which the node gives up. */
const quickEndsUntilExit = 3;
/** Milliseconds that leaving the group may take when the node stops. */
const leaveMs = 10_000;

/** Runs mysqld and its membership in the group until SIGTERM. */
export class Agent {
  private readonly metrics = new Metrics();
  private readonly database: Database;
  private readonly peers: Peers;
  private readonly member: Member;
  private readonly mysqld = new Mysqld({
    onEnd: () => {
      this.member.forget();
      this.answered = false;
    },
    onUnaskedEnd: (quickEnds) => {
      this.metrics.mysqldEnds.inc();
      if (quickEnds < quickEndsUntilExit) return;
      log("mysqld does not stay up: giving up", { ends: quickEnds });
      process.exit(1);
    },
  });

  /** Joining, leaving or starting a group, or bringing accounts in order: one at a time. */
  private busy = false;
  private forced = false;
  private failures = 0;
  private retryAt = 0;
  private accountsRetryAt = 0;
  private presentsCurrent = false;
  /** mysqld has answered since it was started. */
  private answered = false;
  private silentSince = performance.now();

  constructor(
    private readonly config: MysqlAgentView,
    accounts: MysqlAccounts,
  ) {
    this.database = new Database(config, accounts);
    this.peers = new Peers(config, readFileSync(paths.authorityFile, "utf8"));
    this.member = new Member(
      config,
      accounts.generation,
      new MemberMemory(paths.recordFile),
      this.peers,
      this.metrics,
    );
  }

  async run(): Promise<void> {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => void this.stop());
    }
    this.serve();
    this.peers.start();
    await prepareData();
    if (this.member.stopping !== undefined) return;
    this.mysqld.start();
    setInterval(() => {
      const answers = this.member.current !== undefined;
      writeWhole(paths.healthFile, answers ? "ok\n" : "mysqld does not answer\n");
    }, healthIntervalMs);
    log("started", { node: this.config.node });
    for (;;) {
      const startedAt = performance.now();
      if (await this.observe()) this.tick();
      await sleep(Math.max(10, observeIntervalMs - (performance.now() - startedAt)));
    }
  }

  /** True if mysqld answered. */
  private async observe(): Promise<boolean> {
    try {
      this.member.observe(await this.database.observe());
      this.answered = true;
      this.silentSince = performance.now();
      return true;
    } catch (error) {
      if (this.answered && performance.now() - this.silentSince > hungMs) {
        log("mysqld is silent: starting it again", { error: messageOf(error) });
        this.answered = false;
        void this.mysqld.restart();
      }
      return false;
    }
  }

  /** After each observation: whatever has to be done, unless something is being done. */
  private tick(): void {
    if (this.busy) return;
    const decision = decide(this.situation());
    this.decided(decision);
    if (this.member.stopping !== undefined) return;
    const now = performance.now();
    switch (decision.kind) {
      case "stay":
        if (this.member.current?.database.state === "ONLINE") this.succeeded();
        this.keep(now);
        break;
      case "leave":
        this.act("leave", () => (decision.alone ? this.mysqld.restart() : this.database.leave()));
        break;
      case "join":
        if (now >= this.retryAt) {
          this.act("join", async () => {
            this.member.memory.set({ record: atLeastStarted(this.member.memory.record) });
            await this.database.join(decision.members, decision.blank);
            this.presentsCurrent = false;
          });
        }
        break;
      case "bootstrap":
        if (now >= this.retryAt) this.act("bootstrap", () => this.bootstrap(decision));
        break;
      case "wait":
      case "ask":
        break;
    }
  }

  private decided(decision: Decision): void {
    const before = this.member.decision;
    this.member.decision = decision;
    if (before.kind !== decision.kind || before.reason !== decision.reason) {
      log(`decision: ${decision.kind}`, { reason: decision.reason });
    }
    // The operator's choice holds for this once, and only where it is needed.
    const pending = decision.kind === "leave" || decision.kind === "bootstrap";
    if (this.forced && !pending) {
      log("the operator's choice is not carried out", { reason: decision.reason });
      this.forced = false;
    }
  }

  private succeeded(): void {
    this.failures = 0;
    this.member.failure = undefined;
  }

  private situation(askedSince = 0): Situation {
    return {
      address: this.config.address,
      self: this.member.report(),
      peers: this.peers
        .latest()
        .map((peer) => (peer.askedAt >= askedSince ? peer : { ...peer, report: undefined })),
      forced: this.forced,
    };
  }

  /** Does something that takes a while; nothing else is begun meanwhile. */
  private act(action: "join" | "leave" | "bootstrap", work: () => Promise<void>): void {
    this.busy = true;
    const reason = this.member.decision.reason;
    log(`${action}: begun`, { reason });
    work()
      .then(
        () => {
          log(`${action}: done`);
          this.metrics.actions.inc({ action, result: "done" });
          this.member.failure = undefined;
        },
        (error: unknown) => {
          log(`${action}: failed`, { error: messageOf(error) });
          this.metrics.actions.inc({ action, result: "failed" });
          this.member.failure = `${action} failed: ${messageOf(error)}`;
          this.failures += 1;
          this.retryAt = performance.now() + backoffMs(this.failures);
        },
      )
      .finally(() => (this.busy = false));
  }

  /** Once more with everybody's word of right now: the last look before a group is begun. */
  private async bootstrap(decided: Extract<Decision, { kind: "bootstrap" }>): Promise<void> {
    const since = performance.now();
    const [answered] = await Promise.all([this.observe(), this.peers.askAll()]);
    const again = decide(this.situation(since));
    if (!answered || again.kind !== "bootstrap" || again.how !== decided.how) {
      throw new Error(`not after all: ${again.reason}`);
    }
    this.member.memory.set({
      record: atLeastStarted(this.member.memory.record),
      ...(decided.how === "forced" && { alone: true }),
    });
    await this.database.bootstrap();
    this.forced = false;
    this.presentsCurrent = false;
  }

  /** In a group with a majority: clients are let in or out, and accounts kept in order. */
  private keep(now: number): void {
    const wanted = this.member.clientsWanted();
    const offline = this.member.current?.offlineMode;
    if (wanted !== undefined && offline === wanted) {
      log(wanted ? "clients are let in" : "clients are sent away");
      this.background(() => this.database.offlineMode(!wanted));
      return;
    }
    if (now < this.accountsRetryAt || this.member.current?.database.state !== "ONLINE") return;
    const peers = this.peers.latest();
    const self = this.member.report();
    this.accountsRetryAt = now + accountsRetryMs;
    if (
      this.member.health().primary.status === 200 &&
      !this.member.accountsApplied &&
      mayApply(self.generation, peers)
    ) {
      this.background(async () => {
        await this.database.applyAccounts();
        this.member.accountsApplied = true;
        log("accounts are as configured");
      });
    } else if (!this.presentsCurrent && mayPresentCurrent(self, peers)) {
      this.background(async () => {
        await this.database.presentCurrentPassword();
        this.presentsCurrent = true;
        log("the current password is presented to the other members");
      });
    }
  }

  private background(work: () => Promise<void>): void {
    this.busy = true;
    work()
      .catch((error: unknown) => {
        this.member.failure = messageOf(error);
        log("failed", { error: messageOf(error) });
      })
      .finally(() => (this.busy = false));
  }

  /** A planned stop, once. */
  private async stop(): Promise<void> {
    if (this.member.stopping !== undefined) return;
    const startedAt = performance.now();
    let phase: StopPhase = "handing over";
    let phaseAt = startedAt;
    this.member.stopping = phase;
    log("told to stop");
    while (phase !== "ending") {
      const own = this.member.known ?? null;
      const now = performance.now();
      const step = nextStop(phase, {
        elapsedMs: now - phaseAt,
        drainMs: startedAt + this.config.drainSeconds * 1000 - now,
        own,
        successor: own && successor(own, this.peers.latest()),
        sessions:
          phase === "draining" ? await this.database.sessions().catch(() => undefined) : undefined,
      });
      if (step.handOverTo !== undefined) await this.handOver(step.handOverTo);
      if (step.phase !== phase) {
        log(`stopping: ${step.phase}`);
        phase = step.phase;
        phaseAt = now;
        this.member.stopping = phase;
      }
      await sleep(stopIntervalMs);
    }
    await this.end();
  }

  private async handOver(id: string): Promise<void> {
    log("handing over", { to: id });
    try {
      await this.database.handOver(id);
      this.metrics.handOvers.inc({ result: "done" });
      log("handed over");
      await this.observe();
    } catch (error) {
      this.metrics.handOvers.inc({ result: "failed" });
      log("handing over failed", { error: messageOf(error) });
    }
  }

  private async end(): Promise<void> {
    const own = this.member.known;
    const member = own !== undefined && (inGroup(own) || own.state === "ERROR");
    if (member && hasQuorum(own)) {
      const leaving = this.database
        .leave()
        .catch((error: unknown) => log("leaving failed", { error: messageOf(error) }));
      await Promise.race([leaving, sleep(leaveMs)]);
    }
    // Without a majority mysqld would try for half a minute to take its leave.
    await this.mysqld.stop(member && !hasQuorum(own) ? "SIGKILL" : "SIGTERM");
    log("ended");
    process.exit(0);
  }

  private serve(): void {
    const { member } = this;
    const { address, agentPort: port, tls } = this.config;
    serve(
      { address, port, tls },
      {
        "/primary": () => answer(member.health().primary),
        "/replica": () => answer(member.health().replica),
        "/state": () => json(200, member.report()),
        "/status": () => json(200, { ...member.status(), forced: this.forced }),
        "/metrics": () => this.metricsPage(),
      },
      {
        "/bootstrap": () => {
          member.bootstrapRequested = member.memory.record === "blank";
          return json(202, member.status());
        },
        "/force": () => {
          this.forced = true;
          return json(202, member.status());
        },
      },
    );
  }

  private async metricsPage(): Promise<Page> {
    const { member } = this;
    const status = member.current ? this.database.status(statusNames) : Promise.resolve(new Map());
    const body = await this.metrics.text({
      self: member.report(),
      configured: this.config.members.length,
      health: member.health(),
      accountsInForce: member.accountsInForce(),
      alone: member.memory.alone,
      confirmed: member.confirmed,
      stopping: member.stopping,
      decision: member.decision.kind,
      peers: new Map(this.peers.latest().map(({ node, report }) => [node, report !== undefined])),
      observationAgeMs: member.observationAgeMs,
      status: await status.catch(() => new Map<string, number>()),
    });
    return { status: 200, type: this.metrics.contentType, body };
  }
}

const answer = ({ status, reason }: { status: number; reason: string }): Page =>
  line(status, reason);

const atLeastStarted = (record: "blank" | "started" | "formed") =>
  record === "blank" ? "started" : record;
