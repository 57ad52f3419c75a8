import type { MysqlAgentView } from "../../model/views";
import { accountsInForce } from "./accounts";
import type { Decision } from "./decide";
import {
  clientsWanted,
  freshMs,
  health,
  heardPeers,
  mayRecord,
  noTrust,
  observed,
  type Health,
  type HealthInput,
  type Observation,
  type Trust,
} from "./health";
import type { Metrics } from "./metrics";
import type { Peers } from "./peers";
import type { MemberMemory } from "./record";
import { inGroup, majority, onlineMembers, type DatabaseReport, type MemberReport } from "./state";
import type { StopPhase } from "./stop";

/** What `status` prints; gates decide by it. */
export interface Status {
  readonly node: string;
  readonly ready: boolean;
  /** Blank as all others that answer: waiting for the first start of the group. */
  readonly forming: boolean;
  readonly draining: boolean;
  readonly state: string;
  readonly role: string | null;
  readonly reason: string;
  readonly accountsApplied: boolean;
}

/** All that the agent knows of its own member, and what follows from it. */
export class Member {
  private readonly startedAt = Date.now();
  private observation: Observation | undefined;
  private trust: Trust = noTrust;
  private demotedAt: number | undefined;

  bootstrapRequested = false;
  accountsApplied = false;
  stopping: StopPhase | undefined;
  decision: Decision = { kind: "wait", reason: "starting" };
  /** What went wrong in the last attempt to act. */
  failure: string | undefined;

  constructor(
    private readonly config: MysqlAgentView,
    private readonly generation: number,
    readonly memory: MemberMemory,
    private readonly peers: Peers,
    private readonly metrics: Metrics,
  ) {}

  /** Takes note of what mysqld said. */
  observe(observation: Observation): void {
    const now = performance.now();
    const before = this.observation?.database;
    const own = observation.database;
    this.trust = observed(this.trust, observation, now);
    if (this.trust.pausedUntil === now) this.metrics.pauses.inc();
    if (own.role === "PRIMARY" && before?.role !== "PRIMARY") this.metrics.promotions.inc();
    if (before && inGroup(before) && own.state === "ERROR") this.metrics.expulsions.inc();
    if (own.role === "PRIMARY") this.demotedAt = undefined;
    else if (before?.role === "PRIMARY") this.demotedAt = now;
    if (own.role !== "PRIMARY") this.accountsApplied = false;
    if (inGroup(own)) this.bootstrapRequested = false;
    this.observation = observation;
    this.confirm();
    if (!this.trust.confirmed) void this.peers.askAll().then(() => this.confirm());
    if (mayRecord(this.healthInput())) this.memory.set({ record: "formed" });
    if (onlineMembers(own) >= majority(this.config.members.length)) {
      this.memory.set({ alone: false });
    }
  }

  /** mysqld has ended: what it said is void at once. */
  forget(): void {
    this.observation = undefined;
    this.accountsApplied = false;
  }

  private confirm(): void {
    const own = this.observation?.database;
    if (!own) return;
    const needed = this.memory.alone ? 1 : majority(this.config.members.length);
    this.trust = heardPeers(this.trust, own, this.peers.latest(), needed);
  }

  /** The last observation while it is fresh. */
  get current(): Observation | undefined {
    const age = this.observationAgeMs;
    return age !== undefined && age <= freshMs ? this.observation : undefined;
  }

  /** What mysqld said last, however long ago; undefined where it has ended since. */
  get known(): DatabaseReport | undefined {
    return this.observation?.database;
  }

  get observationAgeMs(): number | undefined {
    return this.observation && performance.now() - this.observation.askedAt;
  }

  get confirmed(): boolean {
    return this.trust.confirmed;
  }

  private healthInput(): HealthInput {
    return {
      now: performance.now(),
      observation: this.observation,
      trust: this.trust,
      peers: this.peers.latest(),
      configured: this.config.members.length,
      alone: this.memory.alone,
      recorded: this.memory.record === "formed",
      stopping:
        this.stopping === undefined || this.stopping === "handing over"
          ? "no"
          : this.stopping === "draining"
            ? "draining"
            : "leaving",
      demotedAt: this.demotedAt,
      maxApplyQueue: this.config.maxApplyQueue,
    };
  }

  health(): Health {
    return health(this.healthInput());
  }

  /** Should mysqld let clients in? Undefined where it should stay as it is. */
  clientsWanted(): boolean | undefined {
    return clientsWanted(this.healthInput());
  }

  report(): MemberReport {
    return {
      node: this.config.node,
      startedAt: this.startedAt,
      generation: this.generation,
      record: this.memory.record,
      bootstrapRequested: this.bootstrapRequested,
      stopping: this.stopping !== undefined,
      accountsApplied: this.accountsApplied,
      database: this.current?.database ?? null,
    };
  }

  accountsInForce(): boolean {
    return accountsInForce(this.report(), this.peers.latest());
  }

  status(): Status {
    const { decision } = this;
    const own = this.current?.database;
    const { primary, replica } = this.health();
    const serving = primary.status === 200 || replica.status === 200;
    const accountsApplied = this.accountsInForce();
    return {
      node: this.config.node,
      ready: serving && accountsApplied && this.stopping === undefined,
      forming: decision.kind === "wait" && decision.forming === true,
      draining: this.stopping !== undefined,
      state: own?.state ?? "DOWN",
      role: own?.role ?? null,
      reason: this.reason(serving, accountsApplied),
      accountsApplied,
    };
  }

  private reason(serving: boolean, accountsApplied: boolean): string {
    const { primary, replica } = this.health();
    const why =
      this.decision.kind !== "stay"
        ? this.decision.reason
        : serving && !accountsApplied
          ? "accounts are not as configured yet"
          : this.current?.database.role === "PRIMARY"
            ? primary.reason
            : replica.reason;
    return this.failure === undefined ? why : `${why}; last attempt: ${this.failure}`;
  }
}
