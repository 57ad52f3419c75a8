import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal, OtherHistory, type Unstored } from "../../agents/backup/journal";
import { binlogsIn, segmentsIn } from "../../agents/backup/segments";
import { emptyGtidSet, formatGtidSet, parseGtidSet } from "../../agents/mysql/gtid";
import { realBinlog, realEnds, realServer, serverA } from "./support/binlogs";

const start = Date.parse("2026-11-21T02:00:00Z");
const firstPeriod = "20261121T020000.000Z";
const real = (numbers: string) => parseGtidSet(numbers && `${realServer}:${numbers}`);
const end = (transactions: number) => realEnds[transactions - 1]!;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "holdfast-journal-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const storeAll = ({ periods }: Unstored) => periods.forEach(({ done }) => done());

const covered = (journal: Journal) => formatGtidSet(journal.held?.covered ?? emptyGtidSet);

/** A journal in which a history has begun and a segment is open. */
function begun(base = ""): { journal: Journal; segment: string } {
  const journal = new Journal(folder);
  journal.beginPeriod(start, { history: "h", base: real(base) });
  const segment = journal.openSegment(serverA, real(base), undefined, start);
  return { journal, segment };
}

/** The first of the real transactions, as a binary log that arrives. */
function arrive(segment: string, from: number, to: number, name = "binlog.000001"): void {
  appendFileSync(path.join(segment, name), realBinlog.subarray(from, to));
}

describe("received binary logs", () => {
  it("know nothing at first", () => {
    const journal = new Journal(folder);
    expect(journal.held).toBeUndefined();
    expect(journal.history).toBeUndefined();
    expect(journal.unstored()).toBeUndefined();
    expect(() => journal.openSegment(serverA, real(""), undefined, start)).toThrow("no period");
  });

  it("count transactions as they become complete", () => {
    const { journal, segment } = begun();
    arrive(segment, 0, end(2) + 10);
    journal.advance();
    expect(covered(journal)).toBe(`${realServer}:1-2`);
    arrive(segment, end(2) + 10, end(4));
    journal.advance();
    expect(covered(journal)).toBe(`${realServer}:1-4`);
    expect(journal.held?.last?.number).toBe(4n);
    expect(journal.segmentBytes).toBe(end(4));
    expect(journal.received).toBe(4);
  });

  it("read several files that appear at once, each to its end", () => {
    const { journal, segment } = begun();
    arrive(segment, 0, end(3), "binlog.000009");
    for (const [name, from, to] of [
      ["binlog.000010", 3, 5],
      ["binlog.000011", 5, 6],
      ["binlog.1000000", 6, 7],
    ] as const) {
      // Each file begins with its own description of the format.
      arrive(segment, 0, 158, name);
      arrive(segment, end(from), end(to), name);
    }
    expect(binlogsIn(segment).map((file) => path.basename(file))).toEqual([
      "binlog.000009",
      "binlog.000010",
      "binlog.000011",
      "binlog.1000000",
    ]);
    journal.advance();
    expect(covered(journal)).toBe(`${realServer}:1-7`);
  });

  it("refuse another transaction under a known number, and keep nothing of that server", () => {
    const { journal } = begun();
    const other = { source: realServer, number: 2n, committedAt: 5n };
    const segment = journal.openSegment(serverA, real(""), other, start);
    arrive(segment, 0, end(3));
    expect(() => journal.advance()).toThrow(OtherHistory);
    expect(readdirSync(path.join(folder, firstPeriod))).toEqual(["000001"]);
    expect(covered(journal)).toBe(`${realServer}:1`);
  });

  it("refuse a log that begins after what is here", () => {
    const journal = new Journal(folder);
    journal.beginPeriod(start, { history: "h", base: real("") });
    const segment = journal.openSegment(serverA, real("1-5"), undefined, start);
    const later = Buffer.from(realBinlog);
    // Without checksums the change of the set before this log is not taken for damage.
    later[4 + later.readUInt32LE(4 + 9) - 5] = 0;
    later.writeBigUInt64LE(1n, 127 + 19);
    const set = Buffer.alloc(40);
    Buffer.from(realServer.replaceAll("-", ""), "hex").copy(set);
    set.writeBigUInt64LE(1n, 16);
    set.writeBigUInt64LE(1n, 24);
    set.writeBigUInt64LE(10n, 32);
    const previous = Buffer.concat([later.subarray(127, 127 + 27), set]);
    previous.writeUInt32LE(previous.length, 9);
    writeFileSync(
      path.join(segment, "binlog.000007"),
      Buffer.concat([later.subarray(0, 127), previous]),
    );
    expect(() => journal.advance()).toThrow("begins too late");
    expect(readdirSync(path.join(folder, firstPeriod))).toEqual([]);
  });

  it("go on after a restart, in a segment of their own", () => {
    const { segment } = begun("1-2");
    arrive(segment, 0, 158);
    arrive(segment, end(2), end(5) + 7);
    const journal = new Journal(folder);
    expect(covered(journal)).toBe(`${realServer}:1-5`);
    expect(journal.history).toBe("h");
    expect(formatGtidSet(journal.base ?? emptyGtidSet)).toBe(`${realServer}:1-2`);
    expect(journal.held?.last?.number).toBe(5n);
    expect(path.basename(journal.openSegment(serverA, real("1-4"), undefined, start))).toBe(
      "000002",
    );
  });

  it("fetch again what was damaged when the machine died", () => {
    const { segment } = begun();
    arrive(segment, 0, end(4));
    appendFileSync(path.join(segment, "binlog.000001"), Buffer.alloc(4096));
    expect(covered(new Journal(folder))).toBe(`${realServer}:1-4`);
  });

  it("fall back to the period before where nothing had arrived in the newest", () => {
    const { journal, segment } = begun();
    arrive(segment, 0, end(3));
    journal.advance();
    journal.beginPeriod(start + 1000);
    mkdirSync(path.join(folder, "20261121T020001.000Z", "000001"));
    const resumed = new Journal(folder);
    expect(resumed.periods()).toEqual([firstPeriod]);
    expect(covered(resumed)).toBe(`${realServer}:1-3`);
  });

  it("begin periods in order, even where the clock steps back", () => {
    const { journal, segment } = begun();
    arrive(segment, 0, end(3));
    journal.advance();
    journal.beginPeriod(start - 5000);
    expect(journal.periods()).toEqual([firstPeriod, "20261121T020000.001Z"]);
    expect(formatGtidSet(journal.base ?? emptyGtidSet)).toBe(`${realServer}:1-3`);
    const next = journal.openSegment(serverA, real("1-3"), undefined, start);
    const [note] = segmentsIn(path.dirname(next));
    expect(note).toMatchObject({ history: "h", server: serverA, begunAt: start, files: [] });
    expect(formatGtidSet(note!.covered)).toBe(`${realServer}:1-3`);
  });

  it("are told to the store until it has them", () => {
    const { journal, segment } = begun();
    arrive(segment, 0, end(3));
    journal.advance();
    const open = journal.unstored();
    expect(open?.periods.map((period) => period.folder)).toEqual([path.join(folder, firstPeriod)]);
    expect(formatGtidSet(open!.covered)).toBe(`${realServer}:1-3`);
    // More arrives while they are being stored: that is not in the store then.
    arrive(segment, end(3), end(4));
    journal.advance();
    storeAll(open!);
    const more = journal.unstored();
    expect(formatGtidSet(more!.covered)).toBe(`${realServer}:1-4`);
    storeAll(more!);
    expect(journal.unstored()).toBeUndefined();
    // After a restart nobody knows any more.
    expect(new Journal(folder).unstored()?.periods.map((period) => period.folder)).toEqual([
      path.join(folder, firstPeriod),
    ]);
  });

  it("leave this machine once they are stored and two newer periods are there", () => {
    const { journal, segment } = begun();
    arrive(segment, 0, end(3));
    journal.advance();
    for (const later of [1, 2]) {
      journal.beginPeriod(start + later * 1000);
      journal.openSegment(serverA, real("1-3"), undefined, start);
    }
    journal.prune();
    expect(journal.periods()).toHaveLength(3);
    storeAll(journal.unstored()!);
    journal.prune();
    expect(journal.periods()).toEqual(["20261121T020001.000Z", "20261121T020002.000Z"]);
  });
});
