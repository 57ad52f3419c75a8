import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { isBroken } from "../client/connection";
import { planLoad } from "../client/options";
import { seeded, weighted } from "../client/random";
import {
  createRequest,
  judgeWrite,
  readRequest,
  removeRequest,
  seenIn,
  updateRequest,
} from "./api";
import { summarise, type Exchange, type LedgerReport } from "./exchanges";
import { writable, type Read, type Row, type Violation, type Write } from "./history";
import { describeOutcome, Sender } from "./sender";

export { describeReport, describeViolation, type LedgerReport } from "./exchanges";
export type { Row, Violation } from "./history";
export { judgeMembers, type MemberSnapshot, type StoredRow } from "./members";

export interface LedgerOptions {
  /** Origins by scheme; IP addresses only. */
  readonly targets: { readonly http?: string; readonly https?: string };
  /** Certificate (PEM) that signs the target's; needed with `https`. */
  readonly ca?: string;
  /** Networks (CIDR, IPv4) that may be loaded, beside loopback. */
  readonly networks: readonly string[];
  /** Default 20. */
  readonly writesPerSecond?: number;
  /** Reads of any row, beside those that follow half of the writes. Default 20. */
  readonly readsPerSecond?: number;
  /** How long a write waits for its answer, in ms. Default 12 s: longer than the application's own wait. */
  readonly writeTimeoutMs?: number;
  /** How long an acknowledged write may stay unseen without its token, in ms. Default 30 s. */
  readonly staleMs?: number;
  /** Longest time in ms in which a creation with an idempotency key is sent again. Default 3 min. */
  readonly keyedPatienceMs?: number;
  readonly seed?: number;
}

const readTimeoutMs = 5000;
const retryMs = 1000;

/**
 * A client that keeps account: it writes rows, remembers what became of each write, reads them
 * back, and knows in the end what a database must hold. It never sends a request twice, but for
 * creations with an idempotency key, as a client with a key would.
 */
export class Ledger {
  /** What every marker of this run begins with. */
  readonly prefix = `ledger-${randomUUID().slice(0, 8)}-`;
  readonly rows: Row[] = [];
  /** Answers that contradict what was asked for. */
  readonly contradictions: Violation[] = [];
  private readonly exchanges: Exchange[] = [];
  private readonly reads: Read[] = [];
  /** Rows that may be written, the oldest first. */
  private readonly idle: Row[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private readonly random: () => number;
  private readonly pickWrite: () => Write["kind"];
  private readonly writer: Sender;
  private readonly reader: Sender;
  private readonly staleMs: number;
  private readonly keyedPatienceMs: number;
  private readonly timers: NodeJS.Timeout[] = [];
  private paused = true;

  /** Throws where a target is not an address in the networks. */
  constructor(private readonly options: LedgerOptions) {
    const { targets, ca, networks, seed = 1 } = options;
    const { http, https } = planLoad({ targets, networks, ...(ca && { ca }) });
    const addresses = [http, https].filter((target) => target !== undefined);
    this.random = seeded(seed);
    this.pickWrite = weighted([["create", 4] as const, ["update", 5], ["delete", 1]], this.random);
    this.writer = new Sender(addresses, options.writeTimeoutMs ?? 12_000);
    this.reader = new Sender(addresses, readTimeoutMs);
    this.staleMs = options.staleMs ?? 30_000;
    this.keyedPatienceMs = options.keyedPatienceMs ?? 180_000;
  }

  /** Begins, or goes on after a pause. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    const { writesPerSecond = 20, readsPerSecond = 20 } = this.options;
    this.every(writesPerSecond, () => this.write());
    this.every(readsPerSecond, () => this.readAny());
  }

  /** Sends nothing new and waits until every request, and every repetition, has come to its end. */
  async pause(): Promise<void> {
    this.paused = true;
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  async stop(): Promise<void> {
    await this.pause();
    this.writer.close();
    this.reader.close();
  }

  /** What happened at the requests sent in [from, to), epoch ms; those under way are left out. */
  report(from = 0, to = Infinity): LedgerReport {
    const first = this.exchanges[0]?.at ?? 0;
    const last = this.exchanges.at(-1)?.at ?? 0;
    const window = { from: Math.max(from, first), to: Math.min(to, last + 1) };
    return summarise(this.exchanges, this.reads, { ...window, staleMs: this.staleMs });
  }

  /** Writes that were both sent and acknowledged in [from, to), epoch ms. */
  acknowledgedWithin(from: number, to: number): number {
    return this.exchanges.filter(
      ({ at, ms, kind, result }) =>
        kind !== "read" && result === "ok" && at >= from && at + ms < to,
    ).length;
  }

  private every(perSecond: number, action: () => Promise<void>): void {
    if (perSecond <= 0) return;
    let due = now();
    this.timers.push(
      setInterval(() => {
        // What a busy computer held up is made up for, within reason.
        due = Math.max(due, now() - 1000);
        for (; due <= now(); due += 1000 / perSecond) {
          const done = action().finally(() => this.underWay.delete(done));
          this.underWay.add(done);
        }
      }, 1000 / perSecond),
    );
  }

  private async write(): Promise<void> {
    const kind = this.pickWrite();
    // The oldest rows are chosen most: they are in caches, and are read most.
    const [row] = kind === "create" ? [] : this.idle.splice(this.early(this.idle.length), 1);
    if (!row) return this.create();
    const { id = "" } = row;
    const sequence = row.writes.length + 1;
    await this.attempt(
      row,
      kind === "delete"
        ? { kind, after: undefined, request: removeRequest(id) }
        : { kind: "update", after: sequence, request: updateRequest(id, row.marker, sequence) },
    );
  }

  private async create(): Promise<void> {
    const row: Row = {
      marker: `${this.prefix}${this.rows.length + 1}`,
      keyed: this.random() < 0.5,
      id: undefined,
      writes: [],
    };
    this.rows.push(row);
    const key = row.keyed ? `key-${row.marker}` : undefined;
    await this.attempt(row, {
      kind: "create",
      after: 1,
      request: createRequest(row.marker, key),
    });
  }

  /** Sends a write until its outcome is settled: once, unless it carries an idempotency key. */
  private async attempt(
    row: Row,
    {
      kind,
      after,
      request,
    }: Pick<Write, "kind" | "after"> & { request: ReturnType<typeof removeRequest> },
  ): Promise<void> {
    const begun = now();
    const write: Write = {
      kind,
      after,
      begun,
      ended: begun,
      outcome: "pending",
      sends: 0,
      detail: "",
    };
    row.writes.push(write);
    let mayBeDone = false;
    let token: string | undefined;
    for (;;) {
      const at = now();
      write.sends += 1;
      const outcome = await this.writer.send(request);
      write.ended = now();
      write.detail = describeOutcome(outcome);
      const judged = judgeWrite(kind, row.marker, after, outcome);
      const ms = write.ended - at;
      const result = judged.outcome === "acknowledged" ? "ok" : judged.outcome;
      this.exchanges.push({ at, ms, kind, result, detail: write.detail });
      if (judged.contradiction) this.contradict(row, `${kind}: ${judged.contradiction}`);
      mayBeDone ||= judged.outcome === "unknown";
      token = judged.token;
      if (judged.outcome === "acknowledged") {
        write.outcome = "acknowledged";
        if (judged.id !== undefined) row.id = judged.id;
        break;
      }
      if (!row.keyed || kind !== "create" || write.ended - begun > this.keyedPatienceMs) {
        write.outcome = mayBeDone ? "unknown" : "refused";
        break;
      }
      await sleep(retryMs * (0.5 + this.random()));
    }
    if (writable(row)) this.idle.push(row);
    if (write.outcome === "acknowledged" && token !== undefined && this.random() < 0.5) {
      await this.read(row, row.writes.indexOf(write), token);
    }
  }

  private async readAny(): Promise<void> {
    const row = this.rows[this.early(this.rows.length)];
    if (row) await this.read(row, undefined, undefined);
  }

  private async read(row: Row, after: number | undefined, token: string | undefined) {
    if (row.id === undefined) return;
    const begun = now();
    const outcome = await this.reader.send(readRequest(row.id, token));
    const ended = now();
    const detail = describeOutcome(outcome);
    const seen = isBroken(outcome) ? undefined : seenIn(row.marker, outcome);
    const result = seen ? "ok" : "failed";
    this.exchanges.push({ at: begun, ms: ended - begun, kind: "read", result, detail });
    if (!seen) return;
    if (seen.contradiction) this.contradict(row, `read: ${seen.contradiction}`);
    else this.reads.push({ row, begun, ended, seen: seen.state, after });
  }

  private contradict({ marker }: Row, detail: string): void {
    this.contradictions.push({ kind: "wrong content", subject: marker, detail });
  }

  /** A random index, low ones more often. */
  private early(length: number): number {
    return Math.floor(length * this.random() ** 2);
  }
}

const now = () => performance.timeOrigin + performance.now();
