import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allowedStates,
  writable,
  type Read,
  type Row,
  type RowState,
  type Write,
  type WriteOutcome,
} from "../../loadtests/ledger/history";
import { judgeMembers, type MemberSnapshot, type StoredRow } from "../../loadtests/ledger/members";
import { judgeRead } from "../../loadtests/ledger/reads";

/** Writes sent at 0, 1000, 2000 ms and so on, each answered 100 ms later. */
function rowOf(...writes: readonly (readonly [Write["kind"], WriteOutcome])[]): Row {
  return {
    marker: "run-1",
    keyed: false,
    id: "17",
    writes: writes.map(([kind, outcome], n) => ({
      kind,
      after: kind === "delete" ? undefined : n + 1,
      begun: n * 1000,
      ended: n * 1000 + 100,
      outcome,
      sends: 1,
      detail: "",
    })),
  };
}

const created = ["create", "acknowledged"] as const;
const updated = ["update", "acknowledged"] as const;
const deleted = ["delete", "acknowledged"] as const;

describe("the states that a row may be in", () => {
  test.each<[string, Row, readonly RowState[]]>([
    ["nothing was sent", rowOf(), [undefined]],
    ["created", rowOf(created), [1]],
    ["creation refused", rowOf(["create", "refused"]), [undefined]],
    ["creation unknown", rowOf(["create", "unknown"]), [undefined, 1]],
    ["creation under way", rowOf(["create", "pending"]), [undefined, 1]],
    ["updated", rowOf(created, updated), [2]],
    ["update refused", rowOf(created, ["update", "refused"]), [1]],
    ["update unknown", rowOf(created, updated, ["update", "unknown"]), [2, 3]],
    ["deleted", rowOf(created, deleted), [undefined]],
    ["deletion refused", rowOf(created, ["delete", "refused"]), [1]],
    ["deletion unknown", rowOf(created, ["delete", "unknown"]), [1, undefined]],
  ])("%s", (_name, row, states) => {
    expect(allowedStates(row)).toEqual(states);
  });

  test("only a row that is there and whose state is known is written again", () => {
    expect(writable(rowOf(created))).toBe(true);
    expect(writable(rowOf(created, ["update", "refused"]))).toBe(true);
    expect(writable(rowOf(created, ["update", "pending"]))).toBe(false);
    expect(writable(rowOf(created, ["update", "unknown"]))).toBe(false);
    expect(writable(rowOf(created, deleted))).toBe(false);
    expect(writable({ ...rowOf(created), id: undefined })).toBe(false);
  });
});

describe("judging a read", () => {
  const staleMs = 30_000;
  const read = (row: Row, seen: RowState, begun: number, after?: number): Read => ({
    row,
    seen,
    begun,
    ended: begun + 50,
    after,
  });
  const kindOf = (one: Read) => judgeRead(one, staleMs)?.kind;
  const row = rowOf(created, updated, updated);

  test("without a token the newest state may stay unseen for a while, not longer", () => {
    expect(kindOf(read(row, 3, 5000))).toBeUndefined();
    expect(kindOf(read(row, 1, 5000))).toBeUndefined();
    // The second change was acknowledged at 1100, the third at 2100.
    expect(kindOf(read(row, 1, 31_099))).toBeUndefined();
    expect(judgeRead(read(row, 1, 31_100), staleMs)).toEqual({
      kind: "stale read",
      subject: "run-1",
      detail:
        "read at 1970-01-01T00:00:31.100Z shows change 1; change 2 was acknowledged 30000 ms before",
    });
    expect(kindOf(read(row, 2, 31_100))).toBeUndefined();
    expect(kindOf(read(row, 2, 32_100))).toBe("stale read");
    expect(kindOf(read(row, 3, 90_000))).toBeUndefined();
  });

  test("with its token a write must be seen at once", () => {
    expect(kindOf(read(row, 3, 2101, 2))).toBeUndefined();
    expect(judgeRead(read(row, 2, 2101, 2), staleMs)).toEqual({
      kind: "own write not seen",
      subject: "run-1",
      detail:
        "read at 1970-01-01T00:00:02.101Z shows change 2; change 3 was acknowledged 1 ms before",
    });
    expect(kindOf(read(row, 3, 2101, 1))).toBeUndefined();
  });

  test("a row that vanished is seen, at once with the token, else after a while", () => {
    expect(kindOf(read(row, undefined, 2101, 2))).toBe("own write not seen");
    expect(kindOf(read(row, undefined, 2101))).toBeUndefined();
    expect(kindOf(read(row, undefined, 40_000))).toBe("stale read");
  });

  test("a deleted row may be shown for a while, not longer", () => {
    const gone = rowOf(created, deleted);
    expect(kindOf(read(gone, undefined, 1000))).toBeUndefined();
    expect(kindOf(read(gone, 1, 31_000))).toBeUndefined();
    expect(kindOf(read(gone, 1, 31_100))).toBe("stale read");
    expect(kindOf(read(gone, 1, 1200, 1))).toBe("own write not seen");
  });

  test("a write whose outcome is not known may be seen or not", () => {
    const open = rowOf(created, ["update", "unknown"]);
    expect(kindOf(read(open, 1, 90_000))).toBeUndefined();
    expect(kindOf(read(open, 2, 90_000))).toBeUndefined();
  });

  test("a deletion that was refused does not shadow one that was done later", () => {
    const gone = rowOf(created, ["delete", "refused"], deleted);
    expect(kindOf(read(gone, undefined, 5000))).toBeUndefined();
    expect(kindOf(read(gone, undefined, 2100, 2))).toBeUndefined();
    expect(kindOf(read(gone, undefined, 1900))).toBe("refused write seen");
  });

  test("what was refused, never written or not yet sent is never seen", () => {
    const refused = rowOf(created, ["update", "refused"]);
    expect(kindOf(read(refused, 2, 5000))).toBe("refused write seen");
    expect(kindOf(read(row, 9, 5000))).toBe("unwritten value seen");
    expect(kindOf(read(row, 3, 1900))).toBe("unwritten value seen");
    expect(kindOf(read(row, 3, 1960))).toBeUndefined();
  });
});

describe("comparing with the members", () => {
  const stored = (sequence: number | undefined, more: Partial<StoredRow> = {}): StoredRow => ({
    id: "17",
    marker: "run-1",
    sequence,
    text: "columns",
    ...more,
  });
  const snapshot = (...rows: StoredRow[]): MemberSnapshot => ({
    rows,
    checksums: { property: "1234" },
  });
  const all = (...rows: StoredRow[]) => ({ a: rows, b: rows, c: rows });
  const judge = (rows: readonly Row[], members: Record<string, readonly StoredRow[]>) =>
    judgeMembers(
      rows,
      new Map(Object.entries(members).map(([name, held]) => [name, snapshot(...held)])),
    );
  const kinds = (...args: Parameters<typeof judge>) => [
    ...new Set(judge(...args).map(({ kind }) => kind)),
  ];

  test("members that hold what the ledger allows pass", () => {
    expect(judge([rowOf(created, updated)], all(stored(2)))).toEqual([]);
    expect(judge([rowOf(created, deleted)], all())).toEqual([]);
    expect(judge([rowOf(["create", "refused"])], all())).toEqual([]);
    expect(judge([rowOf(["create", "unknown"])], all())).toEqual([]);
    expect(judge([rowOf(["create", "unknown"])], all(stored(1)))).toEqual([]);
    expect(judge([rowOf(created, ["delete", "unknown"])], all(stored(1)))).toEqual([]);
    expect(judge([rowOf(created, ["delete", "unknown"])], all())).toEqual([]);
  });

  test("an acknowledged row that is lost on every member", () => {
    expect(judge([rowOf(created)], all())).toEqual(
      ["a", "b", "c"].map((member) => ({
        kind: "lost",
        subject: "run-1",
        detail: `${member} has no row, expected change 1; create (change 1) at 1970-01-01T00:00:00.000Z acknowledged`,
      })),
    );
  });

  test("an acknowledged row that is lost on one member", () => {
    expect(kinds([rowOf(created)], { a: [stored(1)], b: [stored(1)], c: [] })).toEqual([
      "lost",
      "divergent members",
    ]);
  });

  test("an acknowledged update that is lost", () => {
    expect(kinds([rowOf(created, updated)], all(stored(1)))).toEqual(["lost"]);
  });

  test("a refused write that was done all the same", () => {
    expect(kinds([rowOf(["create", "refused"])], all(stored(1)))).toEqual(["refused but stored"]);
    expect(kinds([rowOf(created, ["update", "refused"])], all(stored(2)))).toEqual([
      "refused but stored",
    ]);
    expect(kinds([rowOf(created, ["delete", "refused"])], all())).toEqual(["refused but stored"]);
    expect(kinds([rowOf(created, ["delete", "refused"], deleted)], all())).toEqual([]);
  });

  test("an unknown write that is on one member and not on the others", () => {
    const open = rowOf(["create", "unknown"]);
    expect(judge([open], { a: [stored(1)], b: [], c: [] })).toEqual([
      {
        kind: "divergent members",
        subject: "run-1",
        detail:
          "a change 1, b no row, c no row; create (change 1) at 1970-01-01T00:00:00.000Z unknown",
      },
    ]);
  });

  test("a row that is stored twice", () => {
    const twice = [stored(1), stored(1, { id: "18" })];
    expect(kinds([{ ...rowOf(["create", "unknown"]), id: undefined }], all(...twice))).toEqual([
      "duplicate",
    ]);
    expect(kinds([rowOf(created)], all(...twice))).toEqual(["duplicate", "wrong id"]);
  });

  test("a deleted row that came back", () => {
    expect(kinds([rowOf(created, deleted)], all(stored(1)))).toEqual(["resurrected"]);
  });

  test("content that nobody wrote", () => {
    expect(kinds([rowOf(created)], all(stored(7)))).toEqual(["wrong content"]);
    expect(kinds([rowOf(created)], all(stored(undefined)))).toContain("wrong content");
  });

  test("a row that the ledger does not know", () => {
    expect(kinds([], { a: [stored(1)], b: [], c: [] })).toEqual(["unknown row"]);
  });

  test("tables whose content differs, or that are missing", () => {
    const member = (checksums: Record<string, string>): MemberSnapshot => ({ rows: [], checksums });
    expect(
      judgeMembers(
        [],
        new Map([
          ["a", member({ property: "1", other: "5" })],
          ["b", member({ property: "2", other: "5" })],
          ["c", member({ other: "5" })],
        ]),
      ),
    ).toEqual([{ kind: "checksum", subject: "property", detail: "a 1, b 2, c has no such table" }]);
  });

  test("a member that could not be read", () => {
    expect(judgeMembers([], new Map([["a", undefined]]))).toEqual([
      { kind: "member not read", subject: "a", detail: "it was not read" },
    ]);
  });

  // Random lives of rows, executed by an honest database and by ones with one fault.
  const outcomes = fc.constantFrom<WriteOutcome>("acknowledged", "refused", "unknown");
  const lives = fc
    .array(
      fc.record({
        steps: fc.array(
          fc.record({
            kind: fc.constantFrom("update" as const, "delete" as const),
            outcome: outcomes,
          }),
          { maxLength: 6 },
        ),
        first: outcomes,
        unknownDone: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((plans) => plans.map(live));

  /** A row's life as the ledger sees it, and what the database holds at its end. */
  function live(
    {
      first,
      steps,
      unknownDone,
    }: {
      first: WriteOutcome;
      steps: readonly { kind: "update" | "delete"; outcome: WriteOutcome }[];
      unknownDone: boolean;
    },
    number: number,
  ): { row: Row; held: RowState } {
    const row: Row = { ...rowOf(["create", first]), marker: `run-${number}`, id: String(number) };
    let held: RowState =
      first === "acknowledged" || (first === "unknown" && unknownDone) ? 1 : undefined;
    for (const { kind, outcome } of steps) {
      if (!writable(row)) break;
      const after = kind === "delete" ? undefined : row.writes.length + 1;
      row.writes.push({ kind, after, begun: 0, ended: 100, outcome, sends: 1, detail: "" });
      if (outcome === "acknowledged" || (outcome === "unknown" && unknownDone)) held = after;
    }
    return { row, held };
  }

  const heldBy = (rows: readonly { row: Row; held: RowState }[]) =>
    rows.flatMap(({ row, held }) =>
      held === undefined ? [] : [stored(held, { marker: row.marker, id: row.id ?? "" })],
    );

  test("any honest database passes", () => {
    fc.assert(
      fc.property(lives, (rows) => {
        expect(
          judge(
            rows.map(({ row }) => row),
            all(...heldBy(rows)),
          ),
        ).toEqual([]);
      }),
    );
  });

  test("a row missing, doubled or changed on one member never passes", () => {
    fc.assert(
      fc.property(lives, fc.nat(), fc.nat(2), (rows, at, fault) => {
        const held = heldBy(rows);
        const victim = held[at % Math.max(1, held.length)];
        if (!victim) return;
        const others = held.filter((row) => row !== victim);
        const broken = [
          others,
          [...held, { ...victim, id: "99" }],
          [...others, { ...victim, sequence: (victim.sequence ?? 0) + 1000 }],
        ][fault];
        const found = judge(
          rows.map(({ row }) => row),
          { a: held, b: broken ?? [], c: held },
        );
        expect(found.map(({ subject }) => subject)).toContain(victim.marker);
      }),
    );
  });
});
