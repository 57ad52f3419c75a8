import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BinlogError, BinlogScanner, type Transaction } from "../../agents/backup/binlog";
import { GtidCollector } from "../../agents/backup/gtidCollector";
import { emptyGtidSet, formatGtidSet, parseGtidSet, union } from "../../agents/mysql/gtid";
import { realBinlog, realEnds, realServer, serverA, serverB } from "./support/binlogs";

function scan(bytes: Buffer, cuts: readonly number[] = []) {
  const scanner = new BinlogScanner();
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  const transactions: Transaction[] = [];
  edges.slice(1).forEach((edge, index) => {
    scanner.push(bytes.subarray(edges[index], edge), (one) => transactions.push(one));
  });
  return { transactions, end: scanner.end, previous: scanner.previous };
}

const whole = scan(realBinlog);

describe("a binary log of MySQL 9.7", () => {
  it("yields its complete transactions, in their order, and where the last one ends", () => {
    const { transactions, end } = whole;
    expect(transactions.map(({ source, number }) => `${source}:${number}`)).toEqual(
      realEnds.map((_, index) => `${realServer}:${index + 1}`),
    );
    expect(end).toBe(realEnds.at(-1));
    expect(formatGtidSet(whole.previous ?? parseGtidSet("nothing"))).toBe("");
  });

  it("tells when each was committed, to the microsecond", () => {
    const times = whole.transactions.map(({ committedAt }) => Number(committedAt / 1000n));
    expect(new Date(times[0]!).toISOString()).toBe("2026-11-21T09:03:58.476Z");
    expect(new Date(times[9]!).toISOString()).toBe("2026-11-21T09:04:42.936Z");
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });

  it("tells what each is about", () => {
    const about = whole.transactions.map(
      ({ schemas, statement }) => statement?.text.slice(0, 20) ?? schemas.join(),
    );
    expect(about).toEqual([
      "create database app",
      "CREATE USER 'backup'",
      "GRANT SELECT, SHOW V",
      "GRANT REPLICATION SL",
      "CREATE USER 'restore",
      "CREATE USER 'app'@'%",
      "GRANT SELECT, INSERT",
      "create table app.t(i",
      "create table app.big",
      "app",
      "app",
      "app",
    ]);
    expect(whole.transactions[0]?.statement?.database).toBe("app");
    expect(whole.transactions[7]?.statement?.database).toBe("");
  });

  it("says the same however it arrives", () => {
    const cuts = fc.array(fc.nat(realBinlog.length), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (at) => {
        expect(scan(realBinlog, at)).toEqual(whole);
      }),
    );
  });

  it("counts nothing that is cut off", () => {
    fc.assert(
      fc.property(fc.nat(realBinlog.length), (length) => {
        const complete = realEnds.filter((end) => end <= length).length;
        const { transactions, end } = scan(realBinlog.subarray(0, length));
        expect(transactions).toEqual(whole.transactions.slice(0, complete));
        expect(end).toBeLessThanOrEqual(length);
      }),
    );
  });

  it("notices every changed byte of a transaction, and yields none from there on", () => {
    const last = realEnds.at(-1)!;
    fc.assert(
      fc.property(
        fc.integer({ min: 158, max: last - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, by) => {
          const damaged = Buffer.from(realBinlog);
          damaged[at] = damaged[at]! ^ by;
          const scanner = new BinlogScanner();
          const seen: Transaction[] = [];
          let failed = false;
          try {
            scanner.push(damaged, (one) => seen.push(one));
          } catch (error) {
            failed = error instanceof BinlogError;
          }
          const sound = realEnds.filter((end) => end <= at).length;
          expect(seen).toEqual(whole.transactions.slice(0, sound));
          // A length that became larger waits for bytes that never come.
          expect(failed || scanner.end <= at).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuses what is no binary log, and one that was filled with zeros", () => {
    expect(() => scan(Buffer.from("-- MySQL dump"))).toThrow("does not begin as a binary log");
    const torn = Buffer.concat([realBinlog.subarray(0, realEnds[5]), Buffer.alloc(4096)]);
    expect(() => scan(torn)).toThrow("impossible length of 0");
  });

  it("refuses transactions that it could not tell apart", () => {
    const gtidAt = 158;
    const anonymous = Buffer.from(realBinlog);
    // Without checksums, which the change would break.
    const formatLength = anonymous.readUInt32LE(4 + 9);
    anonymous[4 + formatLength - 5] = 0;
    anonymous[gtidAt + 4] = 34;
    expect(() => scan(anonymous)).toThrow("has no GTID");
    anonymous[gtidAt + 4] = 42;
    expect(() => scan(anonymous)).toThrow("a GTID with a tag");
  });
});

describe("gathering GTIDs", () => {
  it("is the union of all, in any order", () => {
    const added = fc.array(
      fc.tuple(fc.constantFrom(serverA, serverB), fc.bigInt({ min: 1n, max: 400n })),
      { maxLength: 600 },
    );
    fc.assert(
      fc.property(added, (list) => {
        const base = parseGtidSet(`${serverA}:1-5:90-95`);
        const collector = new GtidCollector(base);
        for (const [source, number] of list) collector.add(source, number);
        const expected = union(base, parseGtidSet(list.map(([s, n]) => `${s}:${n}`).join(",")));
        expect(collector.set()).toEqual(expected);
        for (const [source, number] of list) expect(collector.has(source, number)).toBe(true);
        expect(collector.has(serverA, 93n)).toBe(true);
        expect(collector.has(serverA, 500n)).toBe(false);
      }),
    );
    expect(new GtidCollector().set()).toEqual(emptyGtidSet);
  });
});
