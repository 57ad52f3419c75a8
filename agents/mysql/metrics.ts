import { Counter, Gauge, Registry } from "prom-client";
import type { Decision } from "./decide";
import { count, parseGtidSet } from "./gtid";
import type { Health } from "./health";
import { hasQuorum, memberRoles, memberStates, onlineMembers, type MemberReport } from "./state";
import type { StopPhase } from "./stop";

/** What the agent knows when its metrics are asked for. */
export interface Measured {
  readonly self: MemberReport;
  readonly configured: number;
  readonly health: Health;
  readonly accountsInForce: boolean;
  readonly alone: boolean;
  readonly confirmed: boolean;
  readonly stopping: StopPhase | undefined;
  readonly decision: Decision["kind"] | undefined;
  /** Node -> does it answer? */
  readonly peers: ReadonlyMap<string, boolean>;
  /** Milliseconds since mysqld was last asked and answered. */
  readonly observationAgeMs: number | undefined;
  /** mysqld's own counters by their names there; empty where it is silent. */
  readonly status: ReadonlyMap<string, number>;
}

const prefix = "holdfast_mysql_";

const decisionKinds: readonly Decision["kind"][] = [
  "stay",
  "wait",
  "ask",
  "leave",
  "join",
  "bootstrap",
];

/** mysqld's counter -> metric and what it is. */
const statusGauges = {
  Threads_connected: ["threads_connected", "Sessions."],
  Threads_running: ["threads_running", "Sessions at work."],
} as const;

export const statusNames: readonly string[] = Object.keys(statusGauges);

/** Metrics of a MySQL node that only its agent can tell. */
export class Metrics {
  private readonly registry = new Registry();

  readonly mysqldEnds = this.counter(
    "mysqld_unasked_ends_total",
    "Times that mysqld ended unasked.",
  );
  readonly expulsions = this.counter(
    "expulsions_total",
    "Times that the group went on without this member, or it lost its group.",
  );
  readonly promotions = this.counter("promotions_total", "Times that it became the primary.");
  readonly handOvers = this.counter(
    "hand_overs_total",
    "Times that it was to make another member the primary before a stop.",
    ["result"],
  );
  readonly actions = this.counter(
    "group_actions_total",
    "Times that it joined, left or started a group.",
    ["action", "result"],
  );
  readonly pauses = this.counter(
    "pauses_total",
    "Times that mysqld or the agent stood still and had to be confirmed by the others.",
  );

  private readonly up = this.gauge("up", "mysqld answers.");
  private readonly state = this.gauge("member_state", "State in the group.", ["state"]);
  private readonly role = this.gauge("member_role", "Role in the group.", ["role"]);
  private readonly serving = this.gauge("serving", "In service at an endpoint.", ["endpoint"]);
  private readonly online = this.gauge("members_online", "ONLINE members as it sees them.");
  private readonly configured = this.gauge("members_configured", "Members of the stack.");
  private readonly quorum = this.gauge("quorum", "In a group that has its majority.");
  private readonly alone = this.gauge("alone", "Serves without a majority, by operator's choice.");
  private readonly confirmed = this.gauge("confirmed", "Confirmed since the last pause.");
  private readonly stopping = this.gauge("stopping", "Told to stop.");
  private readonly applyQueue = this.gauge("apply_queue", "Transactions waiting to be applied.");
  private readonly transactions = this.gauge("transactions", "Transactions that it holds.", [
    "set",
  ]);
  private readonly decision = this.gauge("decision", "What it last decided.", ["decision"]);
  private readonly accounts = this.gauge("accounts_in_force", "Accounts are as configured.");
  private readonly generation = this.gauge("password_generation", "Configured generation.");
  private readonly peer = this.gauge("peer_answers", "Another member's agent answers.", ["peer"]);
  private readonly age = this.gauge("observation_age_seconds", "Since mysqld last answered.");
  private readonly fromStatus = new Map(
    Object.entries(statusGauges).map(([name, [metric, help]]) => [name, this.gauge(metric, help)]),
  );

  get contentType(): string {
    return this.registry.contentType;
  }

  /** All metrics as text. */
  text(seen: Measured): Promise<string> {
    const database = seen.self.database;
    const flag = (gauge: Gauge, value: boolean) => gauge.set(value ? 1 : 0);
    flag(this.up, database !== null);
    for (const state of memberStates) {
      this.state.set({ state }, database?.state === state ? 1 : 0);
    }
    for (const role of memberRoles) this.role.set({ role }, database?.role === role ? 1 : 0);
    for (const [endpoint, { status }] of Object.entries(seen.health)) {
      this.serving.set({ endpoint }, status === 200 ? 1 : 0);
    }
    this.online.set(database ? onlineMembers(database) : 0);
    this.configured.set(seen.configured);
    flag(this.quorum, database !== null && hasQuorum(database));
    flag(this.alone, seen.alone);
    flag(this.confirmed, seen.confirmed);
    flag(this.stopping, seen.stopping !== undefined);
    this.applyQueue.set(database?.applyQueue ?? 0);
    for (const set of ["executed", "received"] as const) {
      this.transactions.set({ set }, count(parseGtidSet(database?.[set] ?? "")));
    }
    for (const decision of decisionKinds) {
      this.decision.set({ decision }, seen.decision === decision ? 1 : 0);
    }
    flag(this.accounts, seen.accountsInForce);
    this.generation.set(seen.self.generation);
    for (const [peer, answers] of seen.peers) this.peer.set({ peer }, answers ? 1 : 0);
    this.age.set((seen.observationAgeMs ?? NaN) / 1000);
    for (const [name, gauge] of this.fromStatus) gauge.set(seen.status.get(name) ?? NaN);
    return this.registry.metrics();
  }

  private gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name: prefix + name, help, labelNames, registers: [this.registry] });
  }

  private counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: prefix + name, help, labelNames, registers: [this.registry] });
  }
}
