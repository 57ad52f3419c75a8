import { describe, expect, test } from "vitest";
import { contentOf } from "../../loadtests/ledger/api";
import { parseSnapshot, snapshotSql } from "../support/members";

const line = (id: number, content: Readonly<Record<string, string | number>>) =>
  ["row", id, ...Object.values(content)].join("\t");

describe("reading what a member printed", () => {
  const output = [
    "executed\tuuid:1-5",
    line(7, contentOf("ledger-1", 3)),
    line(8, { ...contentOf("ledger-2", 3), area: 4 }),
    "app.idempotency\t11",
    "app.property\t22",
    "executed\tuuid:1-5",
    "",
  ].join("\n");

  test("rows, checksums and what it had executed", () => {
    expect(parseSnapshot(output)).toEqual({
      executed: ["uuid:1-5", "uuid:1-5"],
      checksums: { "app.idempotency": "11", "app.property": "22" },
      rows: [
        {
          id: "7",
          marker: "ledger-1",
          sequence: 3,
          text: "7, ledger-1, change 3 of ledger-1, Ledger, house, 3, 3, 3",
        },
        expect.objectContaining({ id: "8", marker: "ledger-2", sequence: undefined }),
      ],
    });
  });

  test("too little is no snapshot", () => {
    expect(() => parseSnapshot("")).toThrow("too little");
    expect(() => parseSnapshot(output.replace("app.property", "executed"))).toThrow("too little");
    expect(() => parseSnapshot(output.replace(/app\..*\n/g, ""))).toThrow("too little");
  });

  test("every table of the database is summed, and only this ledger's rows are read", () => {
    const text = snapshotSql("app", "ledger-1-");
    expect(text).toContain("WHERE title LIKE 'ledger-1-%'");
    expect(text).toContain("information_schema.tables WHERE table_schema = 'app'");
  });
});
