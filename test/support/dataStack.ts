import { setTimeout as sleep } from "node:timers/promises";
import type { Plan } from "../../apps/property/commands/explain";
import type { PathSpec } from "../../loadtests/client";
import { judgeMembers, Ledger, type LedgerReport, type Violation } from "../../loadtests/ledger";
import { awaitInService } from "../../operations/gate";
import { mustRun } from "../faults/fault";
import { evidence } from "./evidence";
import type { Figures } from "./figures";
import { downWithBackups } from "./labBackups";
import { LiveStack } from "./liveStack";
import { edgeOf, eventually, steadyLoad, watch, type Report } from "./measure";
import { primaryOf, snapshotsOf, statusOf, type Member } from "./members";

/** All clients connect at once when a load begins, to programs that are cold: nobody watches that. */
const settleMs = 10_000;

/** What clients saw while something happened, and what the members hold after it. */
export interface Watched<T> {
  readonly result: T;
  /** Of the client that only reads. */
  readonly seen: Report;
  /** Of the ledger. */
  readonly books: LedgerReport;
  /** What was stored or answered and must not have been. */
  readonly violations: readonly Violation[];
  readonly from: number;
  readonly to: number;
  /** Where requests failed: what nodes logged meanwhile. */
  readonly evidence: string;
}

/** A live stack with the data tiers, under load, with a ledger that keeps account. */
export class DataStack {
  readonly stack: LiveStack;
  private running:
    | {
        readonly load: Awaited<ReturnType<typeof steadyLoad>>;
        readonly ledger: Ledger;
      }
    | undefined;

  /** Settings are those of stack `dev` without monitoring; `others` take the place of whole tiers'. */
  constructor(
    name: string,
    private readonly network: string,
    readonly figures: Figures,
    others: Readonly<Record<string, unknown>> = {},
  ) {
    this.stack = new LiveStack(name, {
      machines: { network },
      loadBalancer: { count: 2 },
      webPool: { count: 2 },
      mysqlCluster: { count: 3 },
      redisCache: { count: 3 },
      appPool: { count: 2, sample: "property" },
      backup: { count: 1 },
      ...others,
    });
  }

  async up(): Promise<void> {
    await this.stack.make("down");
    await this.stack.init();
    const { seconds } = await this.stack.mustUp();
    this.figures.record("first up with database and cache", seconds, "s");
    await this.stack.refreshMachines();
  }

  /** Fills the database with sample rows. */
  async seed(rows: number): Promise<void> {
    await this.runProperty(`seed --rows ${rows}`);
  }

  /** How the database finds each list, and keeps it in the figures. */
  async plans(): Promise<readonly Plan[]> {
    const output = await this.runProperty("explain");
    const plans = output
      .split("\n")
      .filter((line) => line.startsWith('{"query"'))
      .map((line) => JSON.parse(line) as Plan);
    this.figures.note(
      "plans of the lists",
      plans.map(({ query, key, rows }) => `${query}: index ${key}, ${rows} rows`).join("\n"),
    );
    return plans;
  }

  private async runProperty(command: string): Promise<string> {
    const { node, machine } = await this.application();
    const text = `docker exec ${node} node /opt/app/property.js ${command}`;
    return mustRun(this.stack, machine, text, { timeoutSeconds: 300 });
  }

  /** Requests from now on: reads of these paths, and the ledger's; about 200 a second in all. */
  async startLoad(paths: readonly PathSpec[], rate = 200): Promise<void> {
    const outputs = await this.stack.refreshMachines();
    const edge = edgeOf(outputs, this.network);
    const load = await steadyLoad(outputs, this.network, { rate: rate * 0.75, paths });
    const perSecond = rate / 10;
    const ledger = new Ledger({ ...edge, writesPerSecond: perSecond, readsPerSecond: perSecond });
    ledger.resume();
    this.running = { load, ledger };
    await sleep(settleMs);
  }

  async stopLoad(): Promise<void> {
    await this.running?.load.kill();
    await this.running?.ledger.stop();
    this.running = undefined;
  }

  async down(): Promise<void> {
    await this.stopLoad();
    await downWithBackups(this.stack);
  }

  get ledger(): Ledger {
    return this.started.ledger;
  }

  private get started() {
    if (!this.running) throw new Error("the load has not begun");
    return this.running;
  }

  /** Nodes of a tier with their machines, in the order of their keys. */
  async nodesOf(tier: string): Promise<readonly Member[]> {
    const { nodes } = await this.stack.outputs();
    return Object.entries(nodes[tier] ?? {})
      .map(([node, { machine }]) => ({ node, machine }))
      .sort((a, b) => a.node.localeCompare(b.node));
  }

  /** The first application node. */
  async application(): Promise<Member> {
    const [app] = await this.nodesOf("appPool");
    if (!app) throw new Error("the stack has no application node");
    return app;
  }

  /** Members of the database with the primary first. */
  async members(): Promise<readonly [Member, ...Member[]]> {
    const all = await this.nodesOf("mysqlCluster");
    const primary = await primaryOf(this.stack, all);
    return [primary, ...all.filter(({ node }) => node !== primary.node)];
  }

  /** Nodes of the cache with the master first. */
  async caches(): Promise<readonly [Member, ...Member[]]> {
    const all = await this.nodesOf("redisCache");
    const states = await Promise.all(all.map((node) => statusOf(this.stack, node)));
    const masters = all.filter((_, n) => states[n]?.role === "master");
    const [master] = masters;
    if (!master || masters.length > 1) {
      throw new Error(`found ${masters.length} masters: ${JSON.stringify(states)}`);
    }
    return [master, ...all.filter(({ node }) => node !== master.node)];
  }

  /** Waits until the nodes are in service again. */
  async inService(...nodes: readonly string[]): Promise<void> {
    const gates = await Promise.all(nodes.map((node) => this.stack.gateOf(node)));
    await Promise.all(gates.map(awaitInService));
  }

  /** Waits until one of these members is primary. */
  async primaryAmong(members: readonly Member[], seconds: number): Promise<Member> {
    let found: Member | undefined;
    await eventually("a primary", seconds, async () => {
      const states = await Promise.all(members.map((member) => statusOf(this.stack, member)));
      found = members.find((_, n) => states[n]?.ready && states[n].role === "PRIMARY");
      return found !== undefined;
    });
    if (!found) throw new Error("no primary");
    return found;
  }

  /**
   * Runs `action`, which must leave every member well, under load; then lets the ledger come to
   * rest and compares it with what every member holds.
   */
  async watch<T>(action: () => Promise<T>): Promise<Watched<T>> {
    const { load, ledger } = this.started;
    const { result, seen, from, to } = await watch(load, action);
    await ledger.pause();
    const books = ledger.report(from, to);
    const violations = [...books.violations, ...ledger.contradictions];
    try {
      const members = await this.nodesOf("mysqlCluster");
      const snapshots = await snapshotsOf(this.stack, members, ledger.prefix);
      violations.push(...judgeMembers(ledger.rows, snapshots));
    } finally {
      ledger.resume();
    }
    const { refused, unknown, slow } = books.writes;
    const failed = seen.failed + books.reads.failed + refused + unknown + slow > 0;
    const told = failed ? await evidence(this.stack, from, to) : "";
    return { result, seen, books, violations, from, to, evidence: told };
  }

  /** Notes how long no write was taken, and how long the slowest took. */
  recordOutage(what: string, { books }: Watched<unknown>): void {
    this.figures.record(`${what}: writable again after`, books.longestSilenceMs / 1000, "s", "10");
    this.figures.record(`${what}: longest write`, books.longestWriteMs / 1000, "s");
  }

  /** Cache hits of all application nodes so far. */
  async cacheHits(): Promise<number> {
    const nodes = await this.nodesOf("appPool");
    const counts = await Promise.all(
      nodes.map(async ({ machine }) => {
        const { stdout } = await this.stack.on(
          machine,
          "curl -s -m 3 http://127.0.0.1:8080/metrics",
        );
        const lines = stdout.match(/^property_cache_reads_total\{[^}]*result="hit"[^}]*\} \d+/gm);
        return (lines ?? []).reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Seconds until the cache serves hits, seen twice in a row. */
  async secondsUntilHits(limit: number): Promise<number> {
    const begun = Date.now();
    let before = await this.cacheHits();
    let growing = 0;
    await eventually("cache hits", limit, async () => {
      await sleep(200);
      const now = await this.cacheHits();
      growing = now > before ? growing + 1 : 0;
      before = now;
      return growing >= 2;
    });
    return (Date.now() - begun) / 1000;
  }
}
