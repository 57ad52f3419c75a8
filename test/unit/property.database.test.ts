import { setTimeout as sleep } from "node:timers/promises";
import { BrokenCircuitError } from "cockatiel";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { Database, type DatabaseOptions } from "../../apps/property/database/database";
import { DatabaseUnavailable, PoolTimeout } from "../../apps/property/database/errors";
import { Pool, type PoolOptions } from "../../apps/property/database/pool";
import { backoffMs, GaveUp, RetryBudget, withRetries } from "../../apps/property/database/retry";
import { createMetrics } from "../../apps/property/metrics";
import { connectionLost, FakeMysql, source, sqlError } from "./support/fakeMysql";

describe("the pool", () => {
  interface Fake {
    readonly id: number;
    lost: () => void;
  }

  function pool(options: Partial<PoolOptions<Fake>> = {}) {
    const state = { now: 0, opened: 0, destroyed: [] as number[], failing: false };
    const made = new Pool<Fake>({
      size: 2,
      maxAgeMs: 1000,
      maxWaiting: 3,
      now: () => state.now,
      random: () => 0,
      connect: async (lost) => {
        if (state.failing) throw new Error("refused");
        return { id: (state.opened += 1), lost };
      },
      destroy: ({ id }) => state.destroyed.push(id),
      ...options,
    });
    return { made, state };
  }

  const never = () => false;
  const always = () => true;

  /** Holds a connection until told to let go. */
  function hold(made: Pool<Fake>, acquireMs = 1000) {
    let free = () => {};
    let use: ((fake: Fake) => void) | undefined;
    const got = new Promise<Fake>((resolve) => (use = resolve));
    const until = new Promise<void>((resolve) => (free = resolve));
    const done = made.with(acquireMs, never, async (fake) => {
      use?.(fake);
      await until;
      return fake.id;
    });
    return { got, free, done };
  }

  test("a connection is used again, but never beyond its age", async () => {
    const { made, state } = pool();
    const id = () => made.with(100, never, async (fake) => fake.id);
    expect([await id(), await id()]).toEqual([1, 1]);
    state.now = 999;
    expect(await id()).toBe(1);
    state.now = 1000;
    expect(await id()).toBe(2);
    expect(state.destroyed).toEqual([1]);
  });

  test("ages are spread over the last fifth", async () => {
    const { made, state } = pool({ random: () => 1 });
    const id = () => made.with(100, never, async (fake) => fake.id);
    await id();
    state.now = 799;
    expect(await id()).toBe(1);
    state.now = 800;
    expect(await id()).toBe(2);
  });

  test("one that grows old in use is not handed on", async () => {
    const { made, state } = pool({ size: 1 });
    const first = hold(made);
    await first.got;
    const second = hold(made);
    state.now = 2000;
    first.free();
    expect((await second.got).id).toBe(2);
    second.free();
    await second.done;
    expect(state.destroyed).toEqual([1]);
  });

  test("no more than its size; the others wait, and in vain only for so long", async () => {
    const { made, state } = pool();
    const held = [hold(made), hold(made)];
    await Promise.all(held.map(({ got }) => got));
    const patient = hold(made);
    await expect(made.with(20, never, async () => 0)).rejects.toThrow(PoolTimeout);
    expect(made.use()).toEqual({ inUse: 2, idle: 0, waiting: 1 });
    held[0]?.free();
    expect((await patient.got).id).toBe(1);
    patient.free();
    held[1]?.free();
    await Promise.all([patient.done, ...held.map(({ done }) => done)]);
    expect([state.opened, made.use()]).toEqual([2, { inUse: 0, idle: 2, waiting: 0 }]);
  });

  test("a queue that is too long is refused at once", async () => {
    const { made } = pool({ size: 1, maxWaiting: 1 });
    const first = hold(made);
    await first.got;
    const second = hold(made);
    await expect(made.with(1000, never, async () => 0)).rejects.toThrow(/already wait/);
    first.free();
    await second.got;
    second.free();
    await Promise.all([first.done, second.done]);
  });

  test("what fails is destroyed unless the error leaves it whole", async () => {
    const { made, state } = pool();
    const fail = async () => {
      throw new Error("no");
    };
    await expect(made.with(100, always, fail)).rejects.toThrow("no");
    expect([state.destroyed, made.use().idle]).toEqual([[], 1]);
    await expect(made.with(100, never, fail)).rejects.toThrow("no");
    expect([state.destroyed, made.use().idle]).toEqual([[1], 0]);
  });

  test("one that the other side ends is forgotten, idle or in use", async () => {
    const { made, state } = pool();
    const held = hold(made);
    const fake = await held.got;
    fake.lost();
    held.free();
    await held.done;
    expect(state.destroyed).toEqual([1]);
    const idle = await made.with(100, never, async (one) => one);
    idle.lost();
    expect([state.destroyed, made.use().idle]).toEqual([[1, 2], 0]);
  });

  test("a failed connect fails one request, and the next may succeed", async () => {
    const { made, state } = pool();
    state.failing = true;
    await expect(made.with(100, never, async () => 0)).rejects.toThrow("refused");
    const several = [1, 2, 3].map(() => made.with(1000, never, async () => 0));
    expect((await Promise.allSettled(several)).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
      "rejected",
    ]);
    state.failing = false;
    expect(await made.with(100, never, async ({ id }) => id)).toBe(1);
  });

  test("a connection that comes too late for its request serves the next", async () => {
    let arrive = (_: Fake) => {};
    const { made, state } = pool({ connect: () => new Promise((resolve) => (arrive = resolve)) });
    await expect(made.with(10, never, async () => 0)).rejects.toThrow(/no connection within 10 ms/);
    arrive({ id: 7, lost: () => {} });
    await sleep(0);
    expect(await made.with(10, never, async ({ id }) => id)).toBe(7);
    expect(state.destroyed).toEqual([]);
  });

  test("closed, it ends what it has and gives out nothing", async () => {
    const { made, state } = pool();
    await made.with(100, never, async () => 0);
    made.close();
    expect(state.destroyed).toEqual([1]);
    await expect(made.with(100, never, async () => 0)).rejects.toThrow(PoolTimeout);
  });
});

describe("retries", () => {
  function clock() {
    const time = { now: 0, slept: [] as number[] };
    return {
      time,
      now: () => time.now,
      random: () => 1,
      sleep: async (ms: number) => {
        time.slept.push(ms);
        time.now += ms;
      },
    };
  }
  const budget = (most = 100) => new RetryBudget({ share: 0, perSecond: 0, most });
  const options = { waitMs: 1000, backoff: { firstMs: 50, mostMs: 400 }, retryable: () => true };

  test("waits double up to a limit, between half and the whole", () => {
    const backoff = { firstMs: 50, mostMs: 400 };
    expect([0, 1, 2, 3, 4, 99].map((n) => backoffMs(n, backoff, 1))).toEqual([
      50, 100, 200, 400, 400, 400,
    ]);
    expect(backoffMs(1, backoff, 0)).toBe(50);
  });

  test("until it succeeds", async () => {
    const time = clock();
    const numbers: number[] = [];
    const result = await withRetries(
      { ...options, budget: budget() },
      async ({ number, remainingMs }) => {
        numbers.push(number, remainingMs);
        if (number < 3) throw new Error("again");
        return "done";
      },
      time,
    );
    expect(result).toBe("done");
    expect(numbers).toEqual([0, 1000, 1, 950, 2, 850, 3, 650]);
  });

  test("until the time is over: no sleep beyond it", async () => {
    const time = clock();
    const last = new Error("again");
    const failing = withRetries(
      { ...options, budget: budget() },
      async () => {
        throw last;
      },
      time,
    );
    await expect(failing).rejects.toMatchObject({ name: "GaveUp", reason: "time", cause: last });
    expect(time.time.slept).toEqual([50, 100, 200, 400]);
  });

  test("not at all where it is no use", async () => {
    const time = clock();
    const error = new Error("for good");
    const failing = withRetries(
      { ...options, budget: budget(), retryable: () => false },
      async () => {
        throw error;
      },
      time,
    );
    await expect(failing).rejects.toBe(error);
    expect(time.time.slept).toEqual([]);
  });

  test("only as far as the budget goes; waiting for a breaker spends nothing", async () => {
    const time = clock();
    let calls = 0;
    const failing = withRetries(
      { ...options, budget: budget(2) },
      async ({ number }) => {
        calls += 1;
        throw calls === 2 ? new BrokenCircuitError() : new Error(`attempt ${number}`);
      },
      time,
    );
    await expect(failing).rejects.toMatchObject({
      reason: "budget",
      cause: { message: "attempt 2" },
    });
    expect(calls).toBe(4);
  });

  test("an open breaker until the end tells what was met before", async () => {
    const time = clock();
    let calls = 0;
    const failing = withRetries(
      { ...options, budget: budget() },
      async () => {
        throw (calls += 1) === 1 ? new Error("the reason") : new BrokenCircuitError();
      },
      time,
    );
    await expect(failing).rejects.toMatchObject({
      reason: "time",
      cause: { message: "the reason" },
    });
  });

  test("the budget grows with requests and with time, up to its limit", () => {
    let now = 0;
    const one = new RetryBudget({ share: 0.5, perSecond: 1, most: 3 }, () => now);
    const take = () => [1, 2, 3, 4].filter(() => one.withdraw()).length;
    expect(take()).toBe(3);
    one.deposit();
    one.deposit();
    expect(take()).toBe(1);
    now = 2000;
    expect(take()).toBe(2);
    now = 100_000;
    expect(take()).toBe(3);
  });
});

function open(mysql: FakeMysql, options: Partial<DatabaseOptions> = {}) {
  const metrics = createMetrics();
  const database = new Database(
    {
      poolSize: 4,
      readWaitMs: 1000,
      writeWaitMs: 1000,
      consistencyWaitMs: 50,
      connect: (side) => mysql.connect(side),
      ...options,
    },
    metrics,
    pino({ level: "silent" }),
  );
  return { database, metrics };
}

const insert =
  (title: string) =>
  async (run: Parameters<Parameters<Database["write"]>[0]>[0]): Promise<number> =>
    (await run("INSERT INTO property", [title, "", "c", "house", 1, 1, 1, "t", "t"])).insertId;

const read = (id: number) => async (run: Parameters<Parameters<Database["read"]>[0]>[0]) =>
  (await run("SELECT FROM property WHERE id = ?", [id])).rows[0]?.title;

describe("reads", () => {
  async function filled() {
    const mysql = new FakeMysql();
    const opened = open(mysql);
    const { value: id } = await opened.database.write(insert("one"));
    mysql.statements.length = 0;
    return { mysql, id, ...opened };
  }

  const sides = (mysql: FakeMysql) => mysql.statements.map(({ side }) => side);

  test("go to a replica, and ask nothing beside what is read", async () => {
    const { mysql, id, database } = await filled();
    expect(await database.read(read(id))).toEqual({ value: "one", covers: "" });
    expect(mysql.statements).toEqual([
      { side: "replicas", sql: "SELECT FROM property WHERE id = ?" },
    ]);
  });

  test("a replica that ends the connection: the primary answers", async () => {
    const { mysql, id, database, metrics } = await filled();
    mysql.before = (side) => {
      if (side === "replicas") throw connectionLost();
    };
    expect((await database.read(read(id))).value).toBe("one");
    expect(sides(mysql)).toEqual(["replicas", "primary"]);
    expect(await metrics.registry.metrics()).toContain(
      'property_database_retries_total{operation="read"} 1',
    );
  });

  test("no replica can be reached: after a few failures they are left alone for a while", async () => {
    const { mysql, id, database } = await filled();
    let refused = 0;
    mysql.onConnect = (side) => {
      if (side === "primary") return;
      refused += 1;
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    for (let n = 0; n < 20; n += 1) expect((await database.read(read(id))).value).toBe("one");
    expect(refused).toBeLessThan(12);
    mysql.onConnect = () => {};
    await expect
      .poll(async () => {
        mysql.statements.length = 0;
        await database.read(read(id));
        return sides(mysql);
      })
      .toEqual(["replicas"]);
  });

  test("nothing answers: given up in time, and nothing was done", async () => {
    const { mysql, id, database } = await filled();
    const short = open(mysql, { readWaitMs: 100 }).database;
    mysql.onConnect = () => {
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    await expect(short.read(read(id))).rejects.toMatchObject({
      name: "DatabaseUnavailable",
      outcome: "none",
    });
    expect((await database.read(read(id))).value).toBe("one");
  });

  test("a mistake in a query is not repeated", async () => {
    const { mysql, id, database } = await filled();
    mysql.before = () => {
      throw sqlError(1064, "ER_PARSE_ERROR");
    };
    await expect(database.read(read(id))).rejects.toMatchObject({ errno: 1064 });
    expect(mysql.statements.length).toBe(1);
  });

  test("own writes: seen at once, waited for, or read on the primary", async () => {
    const { mysql, database, metrics } = await filled();
    mysql.keepsUp = false;
    const { value: id, gtids } = await database.write(insert("two"));
    expect(gtids).toBe(`${source}:2`);
    expect((await database.read(read(id))).value).toBeUndefined();
    expect((await database.read(read(id), { after: gtids })).value).toBe("two");
    const waiting = database.read(read(id), { after: gtids, wish: "" });
    await sleep(10);
    mysql.replicate();
    expect(await waiting).toEqual({ value: "two", covers: `${source}:1-2` });
    expect(await database.read(read(id), { after: gtids, wish: "" })).toEqual({
      value: "two",
      covers: `${source}:1-2`,
    });
    const text = await metrics.registry.metrics();
    for (const result of ["primary", "waited", "seen"]) {
      expect(text).toContain(`property_consistency_checks_total{result="${result}"} 1`);
    }
  });

  test("own writes: the primary is away and no replica has them: asked again until one does", async () => {
    const { mysql, database } = await filled();
    mysql.keepsUp = false;
    const { value: id, gtids } = await database.write(insert("two"));
    mysql.onConnect = mysql.before = (side) => {
      if (side === "primary") throw connectionLost();
    };
    setTimeout(() => mysql.replicate(), 200);
    expect((await database.read(read(id), { after: gtids })).value).toBe("two");
    await expect(database.read(read(id), { after: `${source}:9` })).rejects.toMatchObject({
      name: "DatabaseUnavailable",
      outcome: "none",
    });
  });

  test("a wish is waited for, but never a reason to ask the primary", async () => {
    const { mysql, id, database } = await filled();
    mysql.keepsUp = false;
    const { gtids } = await database.write(insert("two"));
    mysql.before = (side) => {
      if (side === "primary") throw connectionLost();
    };
    const late = await database.read(read(id), { wish: gtids });
    expect(late).toEqual({ value: "one", covers: `${source}:1-1` });
    const waiting = database.read(read(id), { wish: gtids });
    await sleep(10);
    mysql.replicate();
    expect(await waiting).toEqual({ value: "one", covers: `${source}:1-2` });
  });

  test("what a value includes is asked before it is read", async () => {
    const { mysql, id, database } = await filled();
    await database.read(read(id), { wish: "" });
    expect(mysql.statements.map(({ sql }) => sql.includes("gtid_executed"))).toEqual([true, false]);
  });
});

describe("writes", () => {
  test("wait for a primary, then are done once", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql);
    let refused = 0;
    mysql.onConnect = () => {
      if ((refused += 1) < 4) throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    expect((await database.write(insert("one"))).gtids).toBe(`${source}:1`);
    expect(mysql.primary.rows.size).toBe(1);
  });

  test("a server that has become a replica: its connections go, idle ones too", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql);
    await Promise.all([1, 2, 3].map((n) => database.write(insert(`${n}`))));
    expect(mysql.connects).toBe(3);
    let readOnly = true;
    mysql.before = (_side, sql) => {
      if (readOnly && sql.startsWith("INSERT")) {
        readOnly = false;
        throw sqlError(1290, "ER_OPTION_PREVENTS_STATEMENT");
      }
    };
    await database.write(insert("four"));
    expect([mysql.primary.rows.size, mysql.destroyed, mysql.connects]).toEqual([4, 3, 4]);
  });

  test("no primary in time: given up, nothing was done", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql, { writeWaitMs: 200 });
    mysql.onConnect = () => {
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    await expect(database.write(insert("one"))).rejects.toMatchObject({ outcome: "none" });
  });

  test("a commit without an answer and no primary after it: given up, outcome unknown", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql, { writeWaitMs: 200 });
    mysql.afterCommit = () => {
      mysql.onConnect = () => {
        throw Object.assign(new Error(), { code: "ECONNREFUSED" });
      };
      throw connectionLost();
    };
    const failing = database.write(insert("one"));
    await expect(failing).rejects.toBeInstanceOf(DatabaseUnavailable);
    await expect(failing).rejects.toMatchObject({ outcome: "unknown" });
    expect(mysql.primary.rows.size).toBe(1);
  });

  test("errors of the work roll back and leave the connection to others", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql);
    const failing = database.write(async (run) => {
      await insert("one")(run);
      throw new Error("no such thing");
    });
    await expect(failing).rejects.toThrow("no such thing");
    await database.write(insert("two"));
    expect([mysql.connects, mysql.destroyed, mysql.primary.rows.size]).toEqual([1, 0, 1]);
    expect(mysql.statements.map(({ sql }) => sql)).toContain("ROLLBACK");
  });

  test("conflicts are repeated on the same connection", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql);
    let deadlocks = 2;
    mysql.before = (_side, sql) => {
      if (sql.startsWith("INSERT") && (deadlocks -= 1) >= 0)
        throw sqlError(1213, "ER_LOCK_DEADLOCK");
    };
    await database.write(insert("one"));
    expect([mysql.connects, mysql.primary.rows.size]).toEqual([1, 1]);
  });

  test("during an outage the breaker keeps most attempts away from the primary", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql, { writeWaitMs: 600 });
    mysql.onConnect = () => {
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    const all = Array.from({ length: 50 }, (_, n) => database.write(insert(`${n}`)));
    const results = await Promise.allSettled(all);
    expect(results.every(({ status }) => status === "rejected")).toBe(true);
    // 50 at once before it opens, then one every 200 ms.
    expect(mysql.connects).toBeLessThan(70);
  });

  test("too many that wait are refused at once", async () => {
    const mysql = new FakeMysql();
    const { database } = open(mysql, { writeWaitMs: 300 });
    mysql.onConnect = () => sleep(10_000, undefined, { ref: false });
    const waiting = Array.from({ length: 500 }, () => database.write(insert("x")));
    await expect(database.write(insert("y"))).rejects.toBeInstanceOf(DatabaseUnavailable);
    await Promise.allSettled(waiting);
  });

  test("giving up says why", () => {
    expect(new GaveUp("time", undefined).message).toBe("no success in time");
    expect(new GaveUp("budget", undefined).message).toBe("too many requests are being repeated");
  });
});
