import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dumpArguments, dumpHeader, maxHeaderLength } from "../../agents/backup/dump";
import { noLag, withProbe, withStored } from "../../agents/backup/lag";
import { optionFile } from "../../agents/backup/options";
import {
  agrees,
  decide,
  isStalled,
  mayBeginWith,
  patienceMs,
  silentMs,
} from "../../agents/backup/reception";
import {
  binlogsToForget,
  forgetFulls,
  newestOfPeriods,
  periodName,
  periodStart,
  tagOf,
  type Snapshot,
} from "../../agents/backup/retention";
import { retryDelay, whyFull, type ScheduleFacts } from "../../agents/backup/schedule";
import { behindSeconds, statusOf, type Facts } from "../../agents/backup/status";
import {
  contains,
  count,
  formatGtidSet,
  parseGtidSet,
  subtract,
  union,
  type GtidSet,
} from "../../agents/mysql/gtid";
import { serverA, serverB } from "./support/binlogs";

const gtids = (a: string, b = ""): GtidSet =>
  parseGtidSet([a && `${serverA}:${a}`, b && `${serverB}:${b}`].filter(Boolean).join(","));
const mark = (number: number, committedAt = 1n) => ({
  source: serverA,
  number: BigInt(number),
  committedAt,
});

describe("what to ask a server for", () => {
  const server = { executed: gtids("1-100"), purged: gtids("1-20") };

  it("begins anew where nothing was received", () => {
    expect(decide(undefined, server, 0)).toEqual({
      kind: "begin anew",
      reason: "nothing has been received yet",
    });
  });

  it("asks for what is missing, and for the last transaction once more", () => {
    const decision = decide({ covered: gtids("1-60"), last: mark(60) }, server, 0);
    expect(decision).toEqual({ kind: "receive", exclude: gtids("1-59"), compare: mark(60) });
  });

  it("does not ask again for what the server's logs no longer hold", () => {
    const held = { covered: gtids("1-20"), last: mark(20) };
    expect(decide(held, server, 0)).toEqual({
      kind: "receive",
      exclude: gtids("1-20"),
      compare: undefined,
    });
    expect(decide({ ...held, last: undefined }, server, 0)).toMatchObject({ kind: "receive" });
  });

  it("waits for a new primary that has not executed all, but not for ever", () => {
    const held = { covered: gtids("1-103"), last: mark(103) };
    expect(decide(held, server, patienceMs - 1)).toEqual({
      kind: "wait",
      reason: "the primary lacks 3 transactions that were received",
    });
    const late = decide(held, server, patienceMs);
    expect(late.kind).toBe("begin anew");
    expect(late).toMatchObject({
      reason: `the primary lacks 3 transactions that were received (${serverA}:101-103): the group was started again with less`,
    });
  });

  it("begins anew where transactions are gone before they were received", () => {
    const decision = decide({ covered: gtids("1-17"), last: mark(17) }, server, 0);
    expect(decision).toEqual({
      kind: "begin anew",
      reason: `3 transactions left the primary's binary logs before they were received (${serverA}:18-20)`,
    });
  });

  it("never leaves anything out that is not here, whatever the sets", () => {
    const set = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 9 })))
      .map((list) => gtids(list.map(([from, more]) => `${from}-${from + more}`).join(":")));
    fc.assert(
      fc.property(
        set,
        set,
        set,
        fc.option(fc.integer({ min: 1, max: 39 })),
        (covered, more, purged, last) => {
          const executed = union(more, purged);
          const decision = decide(
            { covered, last: last === null ? undefined : mark(last) },
            { executed, purged },
            0,
          );
          if (decision.kind !== "receive") return;
          const { exclude } = decision;
          expect(contains(covered, exclude)).toBe(true);
          expect(count(subtract(covered, exclude))).toBeLessThanOrEqual(1);
          // The server refuses whoever lacks what it cannot send.
          expect(contains(exclude, purged)).toBe(true);
          expect(contains(executed, covered)).toBe(true);
        },
      ),
    );
  });

  it("begins with a file before which there was nothing new", () => {
    expect(mayBeginWith(gtids("1-59"), gtids("1-59"))).toBe(true);
    expect(mayBeginWith(gtids(""), gtids("1-59"))).toBe(true);
    expect(mayBeginWith(gtids("1-60"), gtids("1-59"))).toBe(false);
    expect(mayBeginWith(gtids("1-5", "1"), gtids("1-59"))).toBe(false);
  });

  it("tells two transactions with one number apart by their time", () => {
    expect(agrees(mark(7, 5n), mark(7, 5n))).toBe(true);
    expect(agrees(mark(7, 5n), mark(7, 6n))).toBe(false);
    expect(agrees(mark(7, 5n), mark(8, 6n))).toBe(true);
    expect(agrees(mark(7, 5n), { ...mark(7, 6n), source: serverB })).toBe(true);
  });

  it("takes a connection for dead only where something is missing and nothing comes", () => {
    expect(isStalled(100_000, undefined, 0)).toBe(false);
    expect(isStalled(silentMs, 0, 0)).toBe(false);
    expect(isStalled(silentMs + 1, 0, 0)).toBe(true);
    expect(isStalled(silentMs + 1, 0, 500)).toBe(false);
    expect(isStalled(silentMs + 1, 500, 0)).toBe(false);
  });
});

describe("how far the store is behind", () => {
  it("counts from the newest moment of which everything is stored", () => {
    let lag = withProbe(noLag, { at: 1000, executed: gtids("1-5") }, gtids("1-4"));
    expect(lag.storedUpTo).toBeUndefined();
    lag = withProbe(lag, { at: 2000, executed: gtids("1-6") }, gtids("1-4"));
    lag = withStored(lag, gtids("1-5"));
    expect(lag.storedUpTo).toBe(1000);
    lag = withStored(lag, gtids("1-7"));
    expect(lag).toEqual({ storedUpTo: 2000, open: [] });
    // Nobody writes: every look moves it on.
    expect(withProbe(lag, { at: 3000, executed: gtids("1-7") }, gtids("1-7")).storedUpTo).toBe(
      3000,
    );
  });

  it("never claims what is not stored, and does not grow without end", () => {
    const step = fc.record({ wrote: fc.nat(3), stores: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let lag = noLag;
        let written = 0;
        let stored = 0;
        const at: number[] = [];
        for (const [now, { wrote, stores }] of steps.entries()) {
          written += wrote;
          at.push(written);
          lag = withProbe(
            lag,
            { at: now, executed: gtids(`1-${written + 1}`) },
            gtids(`1-${stored + 1}`),
          );
          if (stores === 0) {
            stored = written;
            lag = withStored(lag, gtids(`1-${stored + 1}`));
            expect(lag.storedUpTo).toBe(now);
          }
          if (lag.storedUpTo !== undefined) {
            expect(at[lag.storedUpTo]).toBeLessThanOrEqual(stored);
          }
          expect(lag.open.length).toBeLessThanOrEqual(61);
        }
      }),
    );
  });
});

describe("when a full backup is taken", () => {
  const facts: ScheduleFacts = {
    newest: { at: 5000, history: "h" },
    history: "h",
    lastRun: 4000,
    asked: false,
  };

  it.each([
    [{}, undefined],
    [{ lastRun: 5001 }, "it is time"],
    [{ lastRun: 5000 }, undefined],
    [{ lastRun: undefined }, undefined],
    [{ newest: undefined }, "there is none"],
    [{ history: "other" }, "there is none of this history"],
    [{ asked: true }, "it was asked for"],
    [{ asked: true, newest: undefined, history: undefined }, undefined],
  ] satisfies [Partial<ScheduleFacts>, string | undefined][])("%o: %s", (change, why) => {
    expect(whyFull({ ...facts, ...change })).toBe(why);
  });

  it("waits longer after each failure, ten minutes at most", () => {
    expect([0, 1, 2, 3, 7, 50].map(retryDelay)).toEqual([
      0, 10_000, 20_000, 40_000, 600_000, 600_000,
    ]);
  });
});

describe("what may leave the store", () => {
  const day = 86_400_000;
  const start = Date.parse("2026-11-01T02:00:00Z");
  const snapshot = (id: string, time: number, folder: string, tags: string[] = []): Snapshot => ({
    id,
    time: new Date(time).toISOString(),
    paths: [folder],
    tags,
  });
  const binlogs = (id: string, time: number, period: number) =>
    snapshot(id, time, `/var/lib/holdfast/binlogs/${periodName(period)}`);

  it("names periods after their beginning, in an order that can be sorted", () => {
    expect(periodName(start)).toBe("20261101T020000.000Z");
    expect(periodStart("20261101T020000.000Z")).toBe(start);
    expect(periodStart("lost+found")).toBeNaN();
    fc.assert(
      fc.property(fc.nat(4e12), fc.nat(4e12), (a, b) => {
        expect(periodStart(periodName(a))).toBe(a);
        expect(periodName(a) < periodName(b)).toBe(a < b);
      }),
    );
  });

  it("asks restic to keep the full backups of so many days", () => {
    expect(forgetFulls(14)).toEqual(["forget", "--group-by", "", "--keep-within", "14d"]);
  });

  it("reads the values of tags", () => {
    const tagged = snapshot("a", 0, "/", ["history=ab=c", "database=app"]);
    expect(tagOf(tagged, "history")).toBe("ab=c");
    expect(tagOf(tagged, "hist")).toBeUndefined();
    expect(tagOf({ ...tagged, tags: null }, "history")).toBeUndefined();
  });

  it("lets go what a newer one contains, and what is from before the oldest full backup", () => {
    const all = [
      binlogs("a1", start + 1, start),
      binlogs("a2", start + day, start),
      binlogs("b1", start + 2 * day, start + day),
      binlogs("c2", start + 3 * day + 9, start + 2 * day),
      binlogs("c1", start + 3 * day, start + 2 * day),
    ];
    expect([...newestOfPeriods(all).values()].map(({ id }) => id)).toEqual(["a2", "b1", "c2"]);
    expect(binlogsToForget(all, undefined)).toEqual(["a1", "c1"]);
    expect(binlogsToForget(all, start + 5)).toEqual(["a1", "c1"]);
    expect(binlogsToForget(all, start + day + 5)).toEqual(["a1", "c1"]);
    expect(binlogsToForget(all, start + 2 * day + 5)).toEqual(["a1", "a2", "c1"]);
    expect(binlogsToForget(all, start - 1)).toEqual(["a1", "c1"]);
    expect(binlogsToForget([], 5)).toEqual([]);
  });

  it("keeps what every full backup needs, and the newest of each folder alone", () => {
    const facts = fc.record({
      periods: fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 12 }),
      copies: fc.array(fc.tuple(fc.nat(11), fc.nat(1000)), { maxLength: 30 }),
      oldest: fc.option(fc.nat(1000), { nil: undefined }),
    });
    fc.assert(
      fc.property(facts, ({ periods, copies, oldest }) => {
        const sorted = [...periods].sort((a, b) => a - b);
        const all = [
          ...sorted.map((period, index) => binlogs(`n${index}`, 10_000 + index, period)),
          ...copies.map(([period, time], index) =>
            binlogs(`c${index}`, time, sorted[period % sorted.length]!),
          ),
        ];
        const gone = new Set(binlogsToForget(all, oldest));
        const own = sorted.findLastIndex((period) => period <= (oldest ?? -1));
        for (const { id } of all) {
          const needed = id.startsWith("n") && Number(id.slice(1)) >= own - 1;
          expect(gone.has(id)).toBe(!needed);
        }
      }),
    );
  });
});

describe("the dump", () => {
  const header = (gtid: string) =>
    [
      "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)",
      "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;",
      "SET @@SESSION.SQL_LOG_BIN= 0;",
      "",
      `/* SET @@GLOBAL.GTID_PURGED='+${gtid}';*/`,
      "",
      "--",
      "",
    ].join("\n");
  const rest =
    "-- Current Database: `app`\n--\nINSERT INTO t VALUES ('SET @@SESSION.SQL_LOG_BIN= 0;');\n";

  it("says what it contains, over several lines, and keeps nothing from being replicated", () => {
    const found = dumpHeader(header(`${serverA}:1-5,\n${serverB}:7`) + rest);
    expect(formatGtidSet(found!.gtids)).toBe(`${serverA}:1-5,${serverB}:7`);
    expect(found!.text.endsWith(rest)).toBe(true);
    expect(found!.text.slice(0, -rest.length)).not.toContain("SQL_LOG_BIN= 0");
    // What is stored is read again when it is restored.
    expect(dumpHeader(found!.text)).toEqual(found);
  });

  it("waits for all of it, and refuses one that it does not understand", () => {
    expect(dumpHeader(header(`${serverA}:1`))).toBeUndefined();
    expect(() => dumpHeader("x".repeat(maxHeaderLength + 1))).toThrow("does not begin");
    expect(() => dumpHeader(`-- MySQL dump\n${rest}`)).toThrow("which transactions");
    const other = header(`${serverA}:1`).replace("SQL_LOG_BIN= 0;", "SQL_LOG_BIN = 0 ;");
    expect(() => dumpHeader(other + rest)).toThrow("other versions of mysqldump");
  });

  it("locks nobody out for long, and is about one database", () => {
    const args = dumpArguments("shop");
    expect(args.slice(-2)).toEqual(["--databases", "shop"]);
    expect(args).toContain("--single-transaction");
    expect(args.join(" ")).toContain("lock_wait_timeout=3");
  });

  it("presents its password in a file, over TLS with the server's name verified", () => {
    expect(optionFile("backup", 'a"b\\c')).toBe(
      [
        "[client]",
        'user="backup"',
        'password="a\\"b\\\\c"',
        'ssl-ca="/etc/holdfast/tls/ca.pem"',
        "ssl-mode=VERIFY_IDENTITY",
        "",
      ].join("\n"),
    );
  });
});

describe("what the node tells", () => {
  const facts: Facts = {
    node: "backup-a",
    now: 100_000,
    startedAt: 10_000,
    draining: false,
    storeOpen: true,
    receiving: true,
    storedUpTo: 93_000,
    lastFullAt: 0,
    problem: undefined,
  };

  it("is ready once its store is, whatever the database does", () => {
    expect(statusOf(facts)).toEqual({
      node: "backup-a",
      ready: true,
      draining: false,
      receiving: true,
      behindSeconds: 7,
      lastFull: "1970-01-01T00:00:00.000Z",
      reason: null,
    });
    const away = { ...facts, receiving: false, problem: "the primary is away" };
    expect(statusOf(away)).toMatchObject({ ready: true, reason: "the primary is away" });
    expect(statusOf({ ...facts, storeOpen: false })).toMatchObject({ ready: false });
    expect(statusOf({ ...facts, draining: true })).toMatchObject({ ready: false });
    expect(statusOf({ ...facts, lastFullAt: undefined })).toMatchObject({ lastFull: null });
  });

  it("is behind from its start on, until something is stored", () => {
    expect(behindSeconds({ ...facts, storedUpTo: undefined })).toBe(90);
    expect(behindSeconds({ ...facts, storedUpTo: 101_000 })).toBe(0);
  });
});
