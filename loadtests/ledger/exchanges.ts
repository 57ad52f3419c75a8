import { judgeRead } from "./reads";
import type { Read, Violation } from "./history";

/** A request of the ledger and what came of it. */
export interface Exchange {
  /** When it was sent, epoch ms. */
  readonly at: number;
  readonly ms: number;
  readonly kind: "create" | "update" | "delete" | "read";
  /**
   * `ok`: a write was acknowledged, a read answered. `refused` and `unknown`: of writes, as in
   * their history. `failed`: a read without a proper answer.
   */
  readonly result: "ok" | "refused" | "unknown" | "failed";
  readonly detail: string;
}

/** A request slower than this, in ms, has failed, whatever was answered. */
const slowMs = 5000;

/** What happened at the ledger's requests sent in a window of time. Times in ms. */
export interface LedgerReport {
  readonly writes: {
    readonly sent: number;
    readonly acknowledged: number;
    readonly refused: number;
    readonly unknown: number;
    readonly slow: number;
  };
  readonly reads: { readonly sent: number; readonly failed: number; readonly own: number };
  readonly longestWriteMs: number;
  readonly longestReadMs: number;
  /** Longest time in which no write was acknowledged: how long the stack took none. */
  readonly longestSilenceMs: number;
  /** What was read and must not have been. */
  readonly violations: readonly Violation[];
  /** Failed requests as a text for people. */
  readonly failures: readonly string[];
}

/** Sums up what was sent in [from, to), epoch ms. */
export function summarise(
  exchanges: readonly Exchange[],
  reads: readonly Read[],
  { from, to, staleMs }: { readonly from: number; readonly to: number; readonly staleMs: number },
): LedgerReport {
  const within = exchanges.filter(({ at }) => at >= from && at < to);
  const writes = within.filter(({ kind }) => kind !== "read");
  const answered = within.filter(({ kind }) => kind === "read");
  const of = (list: readonly Exchange[], result: Exchange["result"]) =>
    list.filter((exchange) => exchange.result === result).length;
  const seen = reads.filter(({ begun }) => begun >= from && begun < to);
  return {
    writes: {
      sent: writes.length,
      acknowledged: of(writes, "ok"),
      refused: of(writes, "refused"),
      unknown: of(writes, "unknown"),
      slow: writes.filter(({ ms }) => ms > slowMs).length,
    },
    reads: {
      sent: answered.length,
      failed: answered.filter(({ result, ms }) => result !== "ok" || ms > slowMs).length,
      own: seen.filter(({ after }) => after !== undefined).length,
    },
    longestWriteMs: longest(writes),
    longestReadMs: longest(answered),
    longestSilenceMs: silence(exchanges, from, to),
    violations: seen.flatMap((read) => judgeRead(read, staleMs) ?? []),
    failures: within
      .filter(({ result, ms }) => result !== "ok" || ms > slowMs)
      .map(
        ({ at, ms, kind, result, detail }) =>
          `${new Date(at).toISOString().slice(11, 23)} ${kind} ${result} after ${Math.round(ms)} ms: ${detail}`,
      ),
  };
}

function longest(exchanges: readonly Exchange[]): number {
  return Math.round(exchanges.reduce((most, { ms }) => Math.max(most, ms), 0));
}

/** Longest time between two acknowledgements, or one and the window's edge. */
function silence(exchanges: readonly Exchange[], from: number, to: number): number {
  const acknowledged = exchanges
    .filter(({ kind, result }) => kind !== "read" && result === "ok")
    .map(({ at, ms }) => at + ms)
    .filter((time) => time >= from && time < to)
    .sort((a, b) => a - b);
  let previous = from;
  let most = 0;
  for (const time of [...acknowledged, to]) {
    most = Math.max(most, time - previous);
    previous = time;
  }
  return Math.round(most);
}

/** A few lines for people. */
export function describeReport(report: LedgerReport): string {
  const { writes, reads, failures, violations } = report;
  return [
    `writes ${writes.sent}: acknowledged ${writes.acknowledged}, refused ${writes.refused}, unknown ${writes.unknown}, slow ${writes.slow}; longest ${report.longestWriteMs} ms, none acknowledged for ${report.longestSilenceMs} ms`,
    `reads ${reads.sent} (${reads.own} of own writes): failed ${reads.failed}; longest ${report.longestReadMs} ms`,
    ...violations.slice(0, 10).map(describeViolation),
    ...failures.slice(0, 10),
  ].join("\n");
}

export const describeViolation = ({ kind, subject, detail }: Violation): string =>
  `${kind} (${subject}): ${detail}`;
