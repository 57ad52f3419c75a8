import type { RedisAgentView } from "../../model/views";
import { log, readWhole, writeWhole } from "../io";
import { quickMs, restartDelay } from "../restart";
import type { Members } from "./members";
import { passwordAt, type MemberAccounts } from "./passwords";
import * as paths from "./paths";
import { Program } from "./program";
import { parseMemory, quoted, sentinelConfig, startingMemory } from "./sentinelConfig";
import type { Address } from "./topology";

/** Milliseconds that a program may run without an answer before it is killed. */
const silentMs = 15_000;

/** What was told to a running program beyond its configuration; forgotten when it ends. */
export interface Told {
  fenced: boolean;
  passwordIndex: number;
}

/** A program that is kept running, started again when it ends and killed when it hangs. */
class Kept {
  readonly program: Program;
  readonly told: Told = { fenced: false, passwordIndex: 0 };
  private quick = 0;
  private everUp = false;
  private silentFor = 0;
  private stopping = false;

  constructor(
    readonly name: string,
    command: string,
    file: string,
    private readonly restart: () => void,
    private readonly onUnaskedEnd: () => void,
  ) {
    this.program = new Program(name, command, file, (ranMs) => this.ended(ranMs));
  }

  /** Starts it; what it was told before is void. */
  start(passwordIndex: number): void {
    if (this.stopping) return;
    this.told.fenced = false;
    this.told.passwordIndex = passwordIndex;
    this.silentFor = 0;
    this.program.start();
  }

  /** To be called with the time since the last call, which a pause of the agent must not count. */
  observe(answers: boolean, sinceMs: number): void {
    if (answers) this.everUp = true;
    this.silentFor = answers || !this.program.running ? 0 : this.silentFor + sinceMs;
    if (this.silentFor < silentMs) return;
    log(`${this.name} does not answer: killing it`);
    this.silentFor = 0;
    this.program.signal("SIGKILL");
  }

  stop(patienceMs: number): Promise<void> {
    this.stopping = true;
    return this.program.stop(patienceMs);
  }

  private ended(ranMs: number): void {
    if (this.stopping) return;
    this.onUnaskedEnd();
    this.quick = ranMs < quickMs ? this.quick + 1 : 0;
    const delay = restartDelay({ quick: this.quick, everUp: this.everUp });
    if (delay === undefined) {
      log(`${this.name} ended ${this.quick} times and never answered: giving up`);
      process.exit(1);
    }
    setTimeout(this.restart, delay);
  }
}

export interface ProgramsArgs {
  readonly view: RedisAgentView;
  readonly accounts: MemberAccounts;
  readonly members: Members;
  /** Index of the password that peers accept now. */
  readonly passwordIndex: () => number;
  /** Called when Redis is to be started: decides how, then calls `startRedis`. */
  readonly decideRedis: () => void;
  readonly onUnaskedEnd: (program: string) => void;
}

/** Redis and Sentinel of this node, with the files that they are started with. */
export class Programs {
  readonly redis: Kept;
  readonly sentinel: Kept;

  constructor(private readonly args: ProgramsArgs) {
    const { members } = args;
    this.redis = new Kept("redis", "redis-server", paths.redisStartConfig, args.decideRedis, () => {
      members.own.redis.forget();
      args.onUnaskedEnd("redis");
    });
    this.sentinel = new Kept(
      "sentinel",
      "redis-sentinel",
      paths.sentinelConfigFile,
      () => void this.startSentinel(),
      () => {
        members.own.sentinel.forget();
        args.onUnaskedEnd("sentinel");
      },
    );
  }

  /** Starts Redis as a replica of that master, or as master. */
  startRedis(master: Address | undefined): void {
    const index = this.args.passwordIndex();
    const lines = [
      `include ${paths.redisConfig}`,
      "masteruser replica",
      `masterauth ${quoted(passwordAt(this.args.accounts.replica, index))}`,
      ...(master ? [`replicaof ${master.host} ${master.port}`] : []),
    ];
    writeWhole(paths.redisStartConfig, `${lines.join("\n")}\n`);
    this.redis.start(index);
  }

  /** Starts Sentinel with its settings and the newest that is known. Returns the master it begins with. */
  startSentinel(): Address {
    const { view, accounts, members } = this.args;
    const index = this.args.passwordIndex();
    const file = readWhole(paths.sentinelConfigFile);
    const first = view.members[0]?.address ?? view.address;
    const memory = startingMemory(
      view.node,
      file === undefined ? undefined : parseMemory(file, view.masterName),
      members.words().filter(({ node }) => node !== view.node),
      { host: first, port: view.port },
    );
    writeWhole(
      paths.sentinelConfigFile,
      sentinelConfig({
        rendered: readWhole(paths.sentinelSettings) ?? "",
        masterName: view.masterName,
        node: view.node,
        members: view.members,
        redisPort: view.port,
        sentinelPort: view.sentinelPort,
        memory,
        user: "sentinel",
        password: passwordAt(accounts.sentinel, index),
      }),
    );
    this.sentinel.start(index);
    return memory.master;
  }
}
