import {
  describeState,
  type Read,
  type Row,
  type RowState,
  type Violation,
  type Write,
} from "./history";

/**
 * What is wrong with an answer; undefined where nothing is. `staleMs`: how long after its
 * acknowledgement a write may stay unseen by readers without its token.
 */
export function judgeRead(read: Read, staleMs: number): Violation | undefined {
  const { row, seen, begun, ended } = read;
  const violation = (kind: Violation["kind"], detail: string): Violation => ({
    kind,
    subject: row.marker,
    detail: `read at ${new Date(begun).toISOString()} shows ${describeState(seen)}; ${detail}`,
  });
  const shown = writeShown(row, seen, ended);
  const write = row.writes[shown];
  if (!write && seen !== undefined) {
    return violation("unwritten value seen", "nobody wrote that by then");
  }
  if (write?.outcome === "refused") {
    return violation("refused write seen", `that write was refused: ${write.detail}`);
  }
  const newest = read.after ?? newestBefore(row, begun - staleMs);
  if (shown >= newest) return undefined;
  const missing = row.writes[newest];
  if (!missing) return undefined;
  const age = Math.round(begun - missing.ended);
  return violation(
    read.after === undefined ? "stale read" : "own write not seen",
    `${describeState(missing.after)} was acknowledged ${age} ms before`,
  );
}

/** Index of the write whose result is shown; -1: the row before its creation, or nobody's value. */
function writeShown({ writes }: Row, seen: RowState, until: number): number {
  const fits = ({ after, begun }: Write) => after === seen && begun <= until;
  // A deletion that was refused may have been followed by one that was not.
  const done = writes.findLastIndex((write) => fits(write) && write.outcome !== "refused");
  return done >= 0 ? done : writes.findLastIndex(fits);
}

/** Index of the newest write acknowledged by then; -1 where there is none. */
function newestBefore({ writes }: Row, time: number): number {
  return writes.findLastIndex(({ outcome, ended }) => outcome === "acknowledged" && ended <= time);
}
