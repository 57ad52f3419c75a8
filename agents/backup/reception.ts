/*
 * What to ask of a server: which transactions are still to come, whether its history is the one that
 * was received so far, and where in its binary logs to begin. Pure.
 */
import { contains, count, formatGtidSet, isEmpty, subtract, type GtidSet } from "../mysql/gtid";
import type { Transaction } from "./binlog";

/** A transaction by which the histories of two servers are compared. */
export type Mark = Pick<Transaction, "source" | "number" | "committedAt">;

/** What is here. */
export interface Held {
  /** Everything that a full backup and what was received since make up. */
  readonly covered: GtidSet;
  /** The last transaction that was received, if any. */
  readonly last: Mark | undefined;
}

/** What the server says about itself. */
export interface ServerSets {
  readonly executed: GtidSet;
  /** What its binary logs do not hold any more. */
  readonly purged: GtidSet;
}

export type Decision =
  | {
      readonly kind: "receive";
      /** What the server is not to send. */
      readonly exclude: GtidSet;
      /** A transaction that is here already and is sent once more, to be compared. */
      readonly compare: Mark | undefined;
    }
  | { readonly kind: "wait"; readonly reason: string }
  /** What is here cannot be continued: a new history begins, and with it a new full backup. */
  | { readonly kind: "begin anew"; readonly reason: string };

/** Milliseconds that a new primary may take to execute what the one before had sent. */
export const patienceMs = 60_000;

const one = ({ source, number }: Mark): GtidSet =>
  new Map([[source, [{ first: number, last: number }]]]);

/** `lackingMs`: for how long the server has lacked something that was received. */
export function decide(held: Held | undefined, server: ServerSets, lackingMs: number): Decision {
  if (!held) return { kind: "begin anew", reason: "nothing has been received yet" };
  const lacking = subtract(held.covered, server.executed);
  if (!isEmpty(lacking)) {
    const what = `the primary lacks ${count(lacking)} transactions that were received`;
    return lackingMs < patienceMs
      ? { kind: "wait", reason: what }
      : {
          kind: "begin anew",
          reason: `${what} (${shortened(lacking)}): the group was started again with less`,
        };
  }
  const lost = subtract(server.purged, held.covered);
  if (!isEmpty(lost)) {
    return {
      kind: "begin anew",
      reason: `${count(lost)} transactions left the primary's binary logs before they were received (${shortened(lost)})`,
    };
  }
  const { last } = held;
  // What is no longer in its logs cannot be sent again.
  const compare = last && !contains(server.purged, one(last)) ? last : undefined;
  return {
    kind: "receive",
    exclude: compare ? subtract(held.covered, one(compare)) : held.covered,
    compare,
  };
}

function shortened(set: GtidSet): string {
  const text = formatGtidSet(set);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

/** May reception begin with a file before which the server had executed `previous`? */
export function mayBeginWith(previous: GtidSet, exclude: GtidSet): boolean {
  return contains(exclude, previous);
}

/** Is it the same transaction? Times tell apart what two histories gave the same number. */
export function agrees(mark: Mark, seen: Mark): boolean {
  return (
    mark.source !== seen.source ||
    mark.number !== seen.number ||
    mark.committedAt === seen.committedAt
  );
}

/** Milliseconds without a byte after which a connection with something to send counts as dead. */
export const silentMs = 15_000;

/** Is the connection dead? The server has had more than arrived since `behindSince`. */
export function isStalled(
  now: number,
  behindSince: number | undefined,
  lastByteAt: number,
): boolean {
  return behindSince !== undefined && now - Math.max(behindSince, lastByteAt) > silentMs;
}
