/*
 * What the ledger knows of the rows that it wrote. Each row has one writer, which sends one write
 * at a time and none after a write whose outcome it does not know: so what a row may hold is
 * always the state after the last write whose outcome is known, or that after the one unknown.
 */

/**
 * What a row holds: the number of the change that it shows, 1 for its creation. Undefined: there
 * is no such row.
 */
export type RowState = number | undefined;

/**
 * `pending`: not answered yet. `refused`: the answer says that nothing was done. `unknown`: no
 * answer, or one that leaves open whether it was done.
 */
export type WriteOutcome = "pending" | "acknowledged" | "refused" | "unknown";

export interface Write {
  readonly kind: "create" | "update" | "delete";
  /** What the row holds once it is done. */
  readonly after: RowState;
  /** When it was first sent, epoch ms. */
  readonly begun: number;
  /** When the last answer came or was given up, epoch ms. */
  ended: number;
  outcome: WriteOutcome;
  /** How often it was sent: more than once only with an idempotency key. */
  sends: number;
  /** What the last answer said, for people. */
  detail: string;
}

export interface Row {
  /** Text in the row that no other row has. */
  readonly marker: string;
  /** True where its creation carries an idempotency key and is sent again until it is answered. */
  readonly keyed: boolean;
  /** The application's name for it, once known. */
  id: string | undefined;
  readonly writes: Write[];
}

/** A read that was answered. */
export interface Read {
  readonly row: Row;
  readonly begun: number;
  readonly ended: number;
  /** What the answer shows. */
  readonly seen: RowState;
  /**
   * Index of the write whose consistency token was sent along: the answer must show it. Undefined:
   * no token, an older state may be shown for a while.
   */
  readonly after: number | undefined;
}

/** Something that must never happen. */
export interface Violation {
  readonly kind:
    | "stale read"
    | "own write not seen"
    | "refused write seen"
    | "unwritten value seen"
    | "lost"
    | "resurrected"
    | "duplicate"
    | "refused but stored"
    | "wrong content"
    | "wrong id"
    | "unknown row"
    | "divergent members"
    | "checksum"
    | "member not read";
  /** The row's marker, the table or the member. */
  readonly subject: string;
  readonly detail: string;
}

export const describeState = (state: RowState): string =>
  state === undefined ? "no row" : `change ${state}`;

/** States that the row may be in once nothing is under way. */
export function allowedStates({ writes }: Row): readonly RowState[] {
  let states: readonly RowState[] = [undefined];
  for (const { outcome, after } of writes) {
    if (outcome === "acknowledged") states = [after];
    else if (outcome !== "refused") states = [...states, after];
  }
  return states;
}

/** True where the writer may send another write to the row: its state is known and it is there. */
export function writable(row: Row): boolean {
  const states = allowedStates(row);
  return (
    row.id !== undefined &&
    states.length === 1 &&
    states[0] !== undefined &&
    row.writes.every(({ outcome }) => outcome !== "pending")
  );
}
