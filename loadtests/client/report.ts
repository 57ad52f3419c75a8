import { leastSentShare } from "../shared";
import { kinds, type Kind } from "./options";
import { notSentCode, okCode, reasons, type Reason, type Records, type Sample } from "./records";

export interface Latency {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface FailureGroup {
  readonly reason: Reason;
  readonly count: number;
  /** Epoch ms. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly kinds: Readonly<Partial<Record<Kind, number>>>;
  /** The first few, in detail. */
  readonly samples: readonly Sample[];
}

export interface Second {
  /** Start of the second, epoch ms. */
  readonly at: number;
  readonly planned: number;
  readonly ok: number;
  readonly failed: number;
  /** Of the requests that came out well, in ms; 0 where there are none. */
  readonly p99Ms: number;
  /** Of all that were sent. */
  readonly maxMs: number;
}

export interface Tally {
  count: number;
  firstAt: number;
  lastAt: number;
}

/** What the generator spent on itself, and how late it was. */
export interface GeneratorCost {
  readonly cpuSeconds: number;
  /** CPU cores in use on average. */
  readonly cores: number;
  /** How much later than planned requests left, in ms. */
  readonly lagMeanMs: number;
  readonly lagMaxMs: number;
}

/** What the generator hands over: plain data. */
export interface RawReport {
  readonly records: Records;
  readonly samples: readonly Sample[];
  readonly answers: Readonly<Record<string, Tally>>;
  readonly reopened: number;
  readonly generator: GeneratorCost;
  readonly from: number;
  readonly to: number;
}

/** What became of a load. Times of day are epoch ms, durations ms unless the name says seconds. */
export class LoadReport {
  readonly from: number;
  readonly to: number;
  readonly planned: number;
  readonly sent: number;
  readonly notSent: number;
  readonly ok: number;
  /** Planned requests that did not come out well, those not sent included. */
  readonly failed: number;
  /** Sent out of planned, 0 to 1; 1 where nothing was planned. */
  readonly sentShare: number;
  /** Planned requests a second, on average. */
  readonly rate: number;
  readonly failures: readonly FailureGroup[];
  /** Of the requests that came out well. */
  readonly latency: { readonly all: Latency } & Readonly<Partial<Record<Kind, Latency>>>;
  /** Of all that were sent, failed ones too: a hang shows here. */
  readonly longestMs: number;
  readonly slowest: readonly { readonly at: number; readonly kind: Kind; readonly ms: number }[];
  readonly timeline: readonly Second[];
  /** Failures as seconds' worth of load. */
  readonly failureSeconds: number;
  /** From the first failure to the last. */
  readonly failureSpanMs: number;
  /** Idle connections that the server had closed and that were opened again; no failures. */
  readonly reopened: number;
  /** Answers by what the `tally` of their path found. */
  readonly answers: Readonly<Record<string, Tally>>;
  readonly generator: GeneratorCost;

  constructor(private readonly raw: RawReport) {
    const { records, samples } = raw;
    const count = records.at.length;
    const failuresByCode = new Map<number, { indexes: number[] }>();
    const okLatency = new Map<number, number[]>();
    const seconds = new Map<
      number,
      { planned: number; failed: number; ok: number[]; max: number }
    >();
    const longest: number[] = [];

    for (let i = 0; i < count; i++) {
      const at = records.at[i] ?? 0;
      const code = records.code[i] ?? 0;
      const ms = records.latencyMs[i] ?? 0;
      const start = Math.floor(at / 1000) * 1000;
      const second = entry(seconds, start, () => ({ planned: 0, failed: 0, ok: [], max: 0 }));
      second.planned += 1;
      if (code !== notSentCode) {
        keepLongest(longest, i, records.latencyMs);
        second.max = Math.max(second.max, ms);
      }
      if (code === okCode) {
        second.ok.push(ms);
        entry(okLatency, records.kind[i] ?? 0, (): number[] => []).push(ms);
      } else {
        second.failed += 1;
        entry(failuresByCode, code, () => ({ indexes: [] as number[] })).indexes.push(i);
      }
    }

    this.from = raw.from;
    this.to = raw.to;
    this.planned = count;
    this.notSent = failuresByCode.get(notSentCode)?.indexes.length ?? 0;
    this.sent = count - this.notSent;
    this.ok = [...okLatency.values()].reduce((sum, values) => sum + values.length, 0);
    this.failed = count - this.ok;
    this.sentShare = count === 0 ? 1 : this.sent / count;
    this.rate = raw.to > raw.from ? (count * 1000) / (raw.to - raw.from) : 0;
    this.failures = [...failuresByCode]
      .map(([code, { indexes }]) => failureGroup(records, samples, code, indexes))
      .sort((a, b) => b.count - a.count);
    this.latency = {
      all: latencyOf([...okLatency.values()].flat()),
      ...(Object.fromEntries(
        [...okLatency]
          .sort(([a], [b]) => a - b)
          .map(([kind, values]) => [kinds[kind], latencyOf(values)]),
      ) as Partial<Record<Kind, Latency>>),
    };
    this.slowest = longest.map((i) => ({
      at: records.at[i] ?? 0,
      kind: kindAt(records, i),
      ms: round(records.latencyMs[i] ?? 0),
    }));
    this.longestMs = this.slowest[0]?.ms ?? 0;
    this.timeline = [...seconds]
      .sort(([a], [b]) => a - b)
      .map(([at, { planned, failed, ok, max }]) => ({
        at,
        planned,
        ok: ok.length,
        failed,
        p99Ms: round(percentile(ok.sort(ascending), 0.99)),
        maxMs: round(max),
      }));
    this.failureSeconds = this.rate > 0 ? this.failed / this.rate : 0;
    this.failureSpanMs =
      this.failures.length === 0
        ? 0
        : Math.max(...this.failures.map(({ lastAt }) => lastAt)) -
          Math.min(...this.failures.map(({ firstAt }) => firstAt));
    this.reopened = raw.reopened;
    this.answers = raw.answers;
    this.generator = raw.generator;
  }

  /**
   * The same report over the requests planned in [from, to), epoch ms. `rate` is that of the
   * window; `answers`, `reopened` and `generator` stay those of the whole load.
   */
  window(from: number, to: number): LoadReport {
    const { records } = this.raw;
    const chosen: number[] = [];
    records.at.forEach((at, i) => {
      if (at >= from && at < to) chosen.push(i);
    });
    const pick = <T extends Float64Array | Float32Array | Uint8Array>(column: T, into: T): T => {
      chosen.forEach((i, n) => (into[n] = column[i] ?? 0));
      return into;
    };
    return new LoadReport({
      ...this.raw,
      from: Math.max(from, this.from),
      to: Math.min(to, this.to),
      samples: this.raw.samples.filter(({ at }) => at >= from && at < to),
      records: {
        at: pick(records.at, new Float64Array(chosen.length)),
        latencyMs: pick(records.latencyMs, new Float32Array(chosen.length)),
        kind: pick(records.kind, new Uint8Array(chosen.length)),
        code: pick(records.code, new Uint8Array(chosen.length)),
      },
    });
  }

  /** Passed: nothing failed, and at least 99 % of what was planned was sent. */
  verdict(): { readonly passed: boolean; readonly problems: readonly string[] } {
    const problems: string[] = [];
    const failedSent = this.failed - this.notSent;
    if (this.planned === 0) problems.push("no request was planned");
    if (failedSent > 0) problems.push(`${failedSent} of ${this.sent} requests failed`);
    if (this.sentShare < leastSentShare) {
      problems.push(
        `only ${percent(this.sentShare)} of ${this.planned} planned requests were sent, at least ${percent(leastSentShare)} must be`,
      );
    }
    return { passed: problems.length === 0, problems };
  }

  /** A few lines for people: counts, failures by reason with samples, latency. */
  describe(): string {
    const time = (at: number) => new Date(at).toISOString().slice(11, 23);
    const { all } = this.latency;
    const lines = [
      `planned ${this.planned} (${round(this.rate)}/s), sent ${this.sent} (${percent(this.sentShare)}), ok ${this.ok}, failed ${this.failed} (${this.failureSeconds.toFixed(2)} s worth of load, over ${Math.round(this.failureSpanMs)} ms)`,
      `latency p50 ${all.p50Ms} ms, p95 ${all.p95Ms} ms, p99 ${all.p99Ms} ms; longest ${this.longestMs} ms; idle connections reopened ${this.reopened}; generator ${this.generator.cores} cores, at most ${this.generator.lagMaxMs} ms late`,
    ];
    for (const { reason, count, firstAt, lastAt, kinds: byKind, samples } of this.failures) {
      const parts = Object.entries(byKind).map(([kind, n]) => `${kind} ${n}`);
      lines.push(
        `${reason}: ${count} from ${time(firstAt)} to ${time(lastAt)} (${parts.join(", ")})`,
      );
      for (const sample of samples.slice(0, 3)) {
        const id = sample.requestId ? `, request id ${sample.requestId}` : "";
        lines.push(
          `  ${time(sample.at)} ${sample.kind} ${sample.path} after ${round(sample.latencyMs)} ms: ${sample.detail}${id}`,
        );
      }
    }
    return lines.join("\n");
  }

  /** Everything but the single records, for a file. */
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(Object.entries(this).filter(([key]) => key !== "raw"));
  }
}

/** Keeps the indexes of the ten largest values, the largest first. */
function keepLongest(longest: number[], index: number, values: Float32Array): void {
  const value = values[index] ?? 0;
  if (longest.length >= 10 && value <= (values[longest.at(-1) ?? 0] ?? 0)) return;
  const place = longest.findIndex((other) => value > (values[other] ?? 0));
  longest.splice(place < 0 ? longest.length : place, 0, index);
  if (longest.length > 10) longest.pop();
}

function failureGroup(
  records: Records,
  samples: readonly Sample[],
  code: number,
  indexes: readonly number[],
): FailureGroup {
  const reason = reasons[code - 1] ?? "protocol";
  const byKind: Partial<Record<Kind, number>> = {};
  let firstAt = Infinity;
  let lastAt = -Infinity;
  for (const i of indexes) {
    const at = records.at[i] ?? 0;
    const kind = kindAt(records, i);
    firstAt = Math.min(firstAt, at);
    lastAt = Math.max(lastAt, at);
    byKind[kind] = (byKind[kind] ?? 0) + 1;
  }
  return {
    reason,
    count: indexes.length,
    firstAt,
    lastAt,
    kinds: byKind,
    samples: samples.filter((sample) => sample.reason === reason),
  };
}

function latencyOf(values: number[]): Latency {
  const sorted = values.sort(ascending);
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    count: sorted.length,
    meanMs: sorted.length === 0 ? 0 : round(sum / sorted.length),
    p50Ms: round(percentile(sorted, 0.5)),
    p90Ms: round(percentile(sorted, 0.9)),
    p95Ms: round(percentile(sorted, 0.95)),
    p99Ms: round(percentile(sorted, 0.99)),
    maxMs: round(sorted.at(-1) ?? 0),
  };
}

/** The value below or at which the given share of the sorted values lies; 0 where there are none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

const kindAt = (records: Records, i: number): Kind => kinds[records.kind[i] ?? 0] ?? kinds[0];
const ascending = (a: number, b: number) => a - b;
const round = (value: number) => Math.round(value * 10) / 10;
const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
