/* What a restore to a point in time needs, and what of it is to be applied. Pure. */
import { contains, count, isEmpty, subtract, type GtidSet } from "../mysql/gtid";
import type { Transaction } from "./binlog";
import { GtidCollector } from "./gtidCollector";
import { isoTime, type Point } from "./restoreRequest";
import { byTime, periodStart, tagOf, timeOf, type Snapshot } from "./retention";
import type { SegmentNote } from "./segments";
import { belonging } from "./transactions";

const milliseconds = (point: bigint): number => Number(point / 1000n);

/** Full backups from which the point can be reached, the best first. Throws where there is none. */
export function fullsFor(snapshots: readonly Snapshot[], point: Point): Snapshot[] {
  const fulls = byTime(snapshots).filter((snapshot) => tagOf(snapshot, "history") !== undefined);
  const [oldest] = fulls;
  if (!oldest) throw new Error("the store holds no full backup");
  const usable = fulls.filter((full) => point === undefined || timeOf(full) <= milliseconds(point));
  if (usable.length === 0) {
    throw new Error(`AT: the oldest full backup is of ${oldest.time}; earlier points are gone`);
  }
  return usable.reverse();
}

/**
 * Names of the periods whose binary logs lead from a full backup to the point, of all that the store
 * has: from the one in which the backup was taken. `earlier` more come before, as far as there are.
 */
export function periodsFor(
  names: readonly string[],
  full: number,
  point: Point,
  earlier: number,
): string[] {
  const sorted = [...names].sort();
  const own = sorted.findLastIndex((name) => periodStart(name) <= full);
  const first = Math.max(0, own - earlier);
  return sorted
    .slice(first)
    .filter((name) => point === undefined || periodStart(name) <= milliseconds(point));
}

/** What of one file is to be applied. */
export interface FilePlan {
  /** Transactions to apply. */
  readonly include: GtidSet;
  /** Databases in which statements about the application's were given. */
  readonly givenIn: readonly string[];
}

export interface SelectionArgs {
  /** What the full backup contains. */
  readonly full: GtidSet;
  readonly history: string;
  readonly point: Point;
  readonly database: string;
}

/** Thrown where the full backup contains something from after the point. */
export class FullTooNew extends Error {}

/**
 * Goes through the binary logs in the order in which they were received, and picks what is to be
 * applied: each transaction once, the application's alone, nothing that the full backup contains,
 * and nothing from the first on that was committed after the point. Clocks of servers differ: what
 * comes later in the log may build on what came before, so the log's order decides, not the time.
 */
export class Selection {
  /** Transactions to apply. */
  applied = 0;
  /** What is left out, by kind. */
  readonly leftOut = new Map<string, number>();
  /** Commit of the last transaction before the point. */
  lastAt: bigint | undefined;
  /** Commit of the first one after it. */
  stoppedAt: bigint | undefined;
  private gathered: GtidCollector | undefined;

  constructor(private readonly args: SelectionArgs) {}

  /** True once the point is passed: nothing after is needed. */
  isOver(): boolean {
    return this.stoppedAt !== undefined;
  }

  /** Begins a segment. Throws where something is missing before it. */
  segment({ covered, history, begunAt }: SegmentNote): void {
    if (this.isOver()) return;
    const { point } = this.args;
    if (history !== this.args.history) {
      if (point !== undefined && begunAt >= milliseconds(point)) {
        this.stoppedAt = BigInt(begunAt) * 1000n;
        return;
      }
      throw new Error(
        `at ${isoTime(BigInt(begunAt) * 1000n)} the database began anew, and the full backup that follows is not there or later than AT; the last point before that is AT=${isoTime(BigInt(begunAt) * 1000n)}`,
      );
    }
    const known = this.gathered?.set() ?? this.args.full;
    const missing = subtract(covered, known);
    if (!isEmpty(missing)) {
      throw new Error(
        `the binary logs are not complete: ${count(missing)} transactions are missing`,
      );
    }
    this.gathered ??= new GtidCollector(covered);
  }

  /** Goes through a file of the segment, and says what of it is to be applied. */
  file(transactions: Iterable<Transaction>): FilePlan {
    const { full, point, database } = this.args;
    const include = new GtidCollector();
    const givenIn = new Set<string>();
    for (const transaction of transactions) {
      const { source, number, committedAt } = transaction;
      if (this.isOver() || this.gathered?.has(source, number)) continue;
      const late = point !== undefined && committedAt > point;
      if (includes(full, source, number)) {
        if (late) throw new FullTooNew("the full backup contains something from after AT");
        this.gathered?.add(source, number);
        continue;
      }
      if (late) {
        this.stoppedAt = committedAt;
        continue;
      }
      this.gathered?.add(source, number);
      this.lastAt = committedAt;
      const belongs = belonging(transaction, database);
      if (belongs.ours) {
        include.add(source, number);
        this.applied++;
        if (belongs.givenIn !== undefined) givenIn.add(belongs.givenIn);
      } else {
        this.leftOut.set(belongs.kind, (this.leftOut.get(belongs.kind) ?? 0) + 1);
      }
    }
    return { include: include.set(), givenIn: [...givenIn] };
  }
}

function includes(set: GtidSet, source: string, number: bigint): boolean {
  return set.get(source)?.some(({ first, last }) => first <= number && number <= last) ?? false;
}

/** Segments from the first of that history on. What follows of others tells where it ended. */
export function sinceHistory<S extends SegmentNote>(segments: readonly S[], history: string): S[] {
  const first = segments.findIndex((segment) => segment.history === history);
  return first < 0 ? [] : segments.slice(first);
}

/** Do these segments, of one history, follow on what the full backup contains? */
export function followOn(segments: readonly SegmentNote[], full: GtidSet): boolean {
  const [first] = segments;
  return first === undefined || contains(full, first.covered);
}
