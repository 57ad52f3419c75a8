import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { migrationPlanted } from "../../faults/migrationPlanted";
import { expectNothingFailed } from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { expectOneAtATime } from "../../support/expectations";
import { accepting, passwordsOf, type AppPasswords } from "../../support/passwords";
import { replacedNodes } from "../../support/steps";

const dataNodes = ["mysql-a", "mysql-b", "mysql-c", "redis-a", "redis-b", "redis-c"];
/** The migrations run anew wherever what the application is given changes. */
const appNodes = ["app-migration", "app-a", "app-b"];

/** What an operator changes, each under load. */
export function changes(data: DataStack): void {
  const { stack } = data;
  const settled = { passwords: { generation: 2, acceptPrevious: false } };
  let first: AppPasswords;

  it("rotates every password of the database and the cache, accepting both meanwhile", async () => {
    first = await passwordsOf(data, await data.application());
    expect(await accepting(data, first)).toEqual(dataNodes);
    stack.configure({ passwords: { generation: 2 } });
    const watched = await data.watch(() => stack.mustUp());
    expect(replacedNodes(watched.result).sort()).toEqual(
      [...appNodes, "backup-a", ...dataNodes].sort(),
    );
    expectOneAtATime(watched.result);
    expectNothingFailed(watched);
    data.figures.record("rotation of every password", watched.result.seconds, "s");
    data.recordOutage("rotation of every password", watched);
    const second = await passwordsOf(data, await data.application());
    expect(second.mysql).not.toBe(first.mysql);
    expect(second.redis).not.toBe(first.redis);
    expect(await accepting(data, second)).toEqual(dataNodes);
    expect(await accepting(data, first)).toEqual(dataNodes);
  });

  it("rolls settings over every member of database and cache, the old passwords end", async () => {
    stack.configure({
      ...settled,
      mysqlCluster: { maxConnections: 220 },
      redisCache: { maxMemoryMegabytes: 100 },
    });
    const watched = await data.watch(() => stack.mustUp());
    expect(replacedNodes(watched.result).sort()).toEqual(dataNodes);
    expectOneAtATime(watched.result);
    expectNothingFailed(watched);
    data.figures.record("settings of six data nodes rolled", watched.result.seconds, "s");
    data.recordOutage("every member replaced", watched);
    expect(await accepting(data, first)).toEqual([]);
    expect(await accepting(data, await passwordsOf(data, await data.application()))).toEqual(
      dataNodes,
    );
  });

  // What the tests after that one go on from.
  const rolled = {
    ...settled,
    mysqlCluster: { maxConnections: 220 },
    redisCache: { maxMemoryMegabytes: 100 },
  };
  const cacheOff = { ...rolled, appPool: { environment: { FLAG_CACHE: "off" } } };

  it("turns the cache off by a flag that an ordinary roll switches", async () => {
    expect(await data.secondsUntilHits(30)).toBeLessThan(30);
    stack.configure(cacheOff);
    const watched = await data.watch(() => stack.mustUp());
    expect(replacedNodes(watched.result)).toEqual(appNodes);
    expectNothingFailed(watched);
    const hits = await data.cacheHits();
    await sleep(2000);
    expect(await data.cacheHits()).toBe(hits);
  });

  it("stops at a migration that fails, names it, and goes on serving the old version", async () => {
    const fault = migrationPlanted("998.do.broken-by-a-test.sql", "ALTER TABLE nothing BREAK");
    await fault.inject(stack);
    try {
      const watched = await data.watch(() => stack.up());
      expect(watched.result.ok).toBe(false);
      expect(watched.result.output).toContain("migration 998.do.broken-by-a-test.sql failed");
      expect(replacedNodes(watched.result)).toEqual(["app-migration"]);
      expectNothingFailed(watched);
    } finally {
      await fault.heal(stack);
    }
  });

  it("stops the roll of a version that needs a newer schema, and is repaired by the next update", async () => {
    const fault = migrationPlanted("999.do.needed-by-a-test.sql", "SELECT 1");
    await fault.inject(stack);
    try {
      stack.configure({
        ...cacheOff,
        appPool: { ...cacheOff.appPool, migrationCommand: ["true"], startTimeoutSeconds: 20 },
      });
      const watched = await data.watch(() => stack.up());
      expect(watched.result.ok).toBe(false);
      expect(watched.result.output).toContain("999.do.needed-by-a-test.sql");
      expect(replacedNodes(watched.result)).toEqual(["app-migration", "app-a"]);
      expectNothingFailed(watched);
    } finally {
      await fault.heal(stack);
    }
    stack.configure(rolled);
    const repaired = await data.watch(() => stack.mustUp());
    expectNothingFailed(repaired);
    expect(await data.secondsUntilHits(30)).toBeLessThan(30);
  });

  it("shows no change in another update", async () => {
    const run = await stack.mustUp();
    expect(run.changes, run.output).toEqual({});
  });

  it("stored every keyed creation exactly once, however often it had to be sent", async () => {
    // At rest: what is under way has no outcome yet.
    await data.ledger.pause();
    const creations = data.ledger.rows
      .filter(({ keyed }) => keyed)
      .flatMap(({ writes }) => writes.slice(0, 1));
    // What is stored was compared after every fault; here is what was asked of it.
    const open = creations.filter(({ outcome }) => outcome !== "acknowledged");
    const repeated = creations.filter(({ sends }) => sends > 1);
    data.ledger.resume();
    data.figures.record("creations with a key", creations.length, "rows");
    data.figures.record("of them sent more than once", repeated.length, "rows");
    expect(open.map(({ detail }) => detail)).toEqual([]);
    expect(repeated.length).toBeGreaterThan(0);
  });
}
