import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { Cache, type CacheOptions, type Load, type Wanted } from "../../apps/property/cache/cache";
import { createMetrics } from "../../apps/property/metrics";
import { source } from "./support/fakeMysql";
import { MemoryStore } from "./support/memoryStore";

const gtid = (number: number) => `${source}:${number}`;
const upTo = (number: number) => (number === 0 ? "" : `${source}:1-${number}`);

function open(
  store = new MemoryStore(),
  options: Partial<CacheOptions> = {},
  metrics = createMetrics(),
) {
  const cache = new Cache(
    store,
    { ttlMs: 30_000, retryMs: 10, leaseWaitMs: 60, ...options },
    metrics,
    pino({ level: "silent" }),
  );
  return { cache, store, metrics };
}

const item: Wanted = { kind: "item", name: "item:1", tag: "item:1" };

/** A database with one value, and how often it was read. */
function source1() {
  const state = { version: 0, loads: 0, asked: [] as string[] };
  const load: Load = async (after, wish) => {
    state.loads += 1;
    state.asked.push(`${after}/${wish}`);
    const { version } = state;
    return { body: `v${version}`, covers: wish === undefined ? "" : upTo(version) };
  };
  return { state, load };
}

/** Time for a fill, which nobody waits for. */
const settled = () => sleep(2);

describe("the cache", () => {
  test("a value is read from the database once", async () => {
    const { cache } = open();
    const { state, load } = source1();
    expect(await cache.get(item, load)).toEqual({ body: "v0", result: "miss" });
    await settled();
    expect(await cache.get(item, load)).toEqual({ body: "v0", result: "hit" });
    expect(state.loads).toBe(1);
  });

  test("a write makes it invalid, and what replaces it includes the write", async () => {
    const { cache } = open();
    const { state, load } = source1();
    await cache.get(item, load);
    await settled();
    state.version = 1;
    await cache.invalidate(["item:1", "list"], gtid(1));
    expect(await cache.get(item, load)).toEqual({ body: "v1", result: "miss" });
    await settled();
    expect(await cache.get(item, load)).toEqual({ body: "v1", result: "hit" });
    expect(state.asked).toEqual(["/", `/${gtid(1)}`]);
  });

  test("a value that was read before a write is not served after it, however late it is stored", async () => {
    const { cache, store } = open();
    const { state, load } = source1();
    let store1 = () => {};
    const late = new Promise<void>((resolve) => (store1 = resolve));
    store.before = (command) => (command === "fill" ? late : undefined);
    await cache.get(item, load);
    state.version = 1;
    await cache.invalidate(["item:1"], gtid(1));
    store.before = () => {};
    store1();
    await settled();
    expect(await cache.get(item, load)).toMatchObject({ body: "v1" });
  });

  test("not even where the store takes it without looking", async () => {
    const { cache, store } = open();
    const { state, load } = source1();
    await cache.get(item, load);
    await settled();
    const old = store.values.get("property:value:1:item:1");
    state.version = 1;
    await cache.invalidate(["item:1"], gtid(1));
    store.values.set("property:value:1:item:1", old ?? "");
    expect(await cache.get(item, load)).toEqual({ body: "v1", result: "miss" });
  });

  test("a replica that has not seen the write fills nothing", async () => {
    const { cache, store } = open();
    const behind: Load = async () => ({ body: "v0", covers: "" });
    await cache.invalidate(["item:1"], gtid(1));
    expect(await cache.get(item, behind)).toEqual({ body: "v0", result: "miss" });
    await settled();
    expect(store.commands).not.toContain("fill");
  });

  test("after a write with unknown outcome nothing is filled", async () => {
    const { cache, store } = open();
    const { load } = source1();
    await cache.get(item, load);
    await settled();
    await cache.invalidate(["item:1"], undefined);
    expect(await cache.get(item, load)).toEqual({ body: "v0", result: "miss" });
    await settled();
    expect(store.commands.filter((command) => command === "fill").length).toBe(1);
  });

  test("a value is as old as its limit at most, whatever the store keeps", async () => {
    let now = 1_000_000;
    const { cache } = open(new MemoryStore(), { ttlMs: 30_000, now: () => now });
    const { state, load } = source1();
    await cache.get(item, load);
    await settled();
    now += 29_999;
    expect((await cache.get(item, load)).result).toBe("hit");
    now += 1;
    expect((await cache.get(item, load)).result).toBe("miss");
    expect(state.loads).toBe(2);
  });

  test("a reader who must see a write is not given a value that may lack it", async () => {
    const { cache } = open();
    const { state, load } = source1();
    await cache.get(item, load);
    await settled();
    // The invalidation was lost, as in a failover of the store.
    state.version = 3;
    expect(await cache.get(item, load)).toEqual({ body: "v0", result: "hit" });
    const own = { ...item, after: gtid(3) };
    expect(await cache.get(own, load)).toEqual({ body: "v3", result: "miss" });
    await settled();
    expect(await cache.get(own, load)).toEqual({ body: "v3", result: "hit" });
    expect((await cache.get(item, load)).body).toBe("v3");
  });

  test("one of many readers of a node fills, the others wait for it", async () => {
    const { cache } = open();
    const { state, load } = source1();
    const slow: Load = async (...args) => {
      await sleep(20);
      return load(...args);
    };
    const all = await Promise.all(Array.from({ length: 50 }, () => cache.get(item, slow)));
    expect([state.loads, new Set(all.map(({ body }) => body))]).toEqual([1, new Set(["v0"])]);
  });

  test("one of several nodes fills; who waits in vain reads for himself", async () => {
    const store = new MemoryStore();
    const first = open(store).cache;
    const second = open(store).cache;
    const { state, load } = source1();
    const slow = (ms: number): Load => {
      return async (...args) => {
        await sleep(ms);
        return load(...args);
      };
    };
    await Promise.all([first.get(item, slow(20)), second.get(item, slow(20))]);
    expect(state.loads).toBe(1);
    const other = { ...item, name: "item:2" };
    await Promise.all([first.get(other, slow(200)), second.get(other, slow(5))]);
    expect(state.loads).toBe(3);
  });

  test("a reader with a token does not share the fate of one without", async () => {
    const { cache } = open();
    const notThere: Load = async (after) => {
      await sleep(10);
      if (after === "") throw new Error("no such row yet");
      return { body: "v1", covers: upTo(1) };
    };
    const without = cache.get(item, notThere);
    const failing = expect(without).rejects.toThrow("no such row yet");
    expect((await cache.get({ ...item, after: gtid(1) }, notThere)).body).toBe("v1");
    await failing;
  });

  test("who finds nothing to store gives the lease back", async () => {
    const { cache, store } = open();
    const failing: Load = async () => {
      throw new Error("no such row");
    };
    await expect(cache.get(item, failing)).rejects.toThrow("no such row");
    await settled();
    expect([...store.values.keys()]).toEqual(["property:tag:item:1"]);
  });

  test("a failed load is everybody's failure, and the next reader tries again", async () => {
    const { cache } = open();
    const failing: Load = async () => {
      await sleep(5);
      throw new Error("no database");
    };
    const both = await Promise.allSettled([cache.get(item, failing), cache.get(item, failing)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect((await cache.get(item, source1().load)).body).toBe("v0");
  });

  test("without the store: every read is answered by the database", async () => {
    const { cache, store, metrics } = open();
    const { state, load } = source1();
    store.down = true;
    for (let n = 0; n < 30; n += 1) {
      expect(await cache.get(item, load)).toEqual({ body: "v0", result: "bypass" });
    }
    expect(state.loads).toBe(30);
    // Five failures open the breaker; then the store is left alone.
    expect(store.commands.length).toBe(5);
    expect(await metrics.registry.metrics()).toContain('property_breaker_state{breaker="cache"} 1');
  });

  test("a failed invalidation turns reads of the cache off until it is made up for", async () => {
    const { cache, store, metrics } = open();
    const { state, load } = source1();
    await cache.get(item, load);
    await settled();
    store.down = true;
    state.version = 2;
    await cache.invalidate(["item:1"], gtid(1));
    await cache.invalidate(["item:1", "list"], gtid(2));
    expect(await metrics.registry.metrics()).toContain("property_cache_reads_off 1");
    const lookups = () => store.commands.filter((command) => command === "lookup").length;
    const before = lookups();
    expect(await cache.get(item, load)).toEqual({ body: "v2", result: "bypass" });
    expect(lookups()).toBe(before);
    store.down = false;
    await expect
      .poll(async () => (await metrics.registry.metrics()).includes("property_cache_reads_off 0"))
      .toBe(true);
    state.asked.length = 0;
    expect(await cache.get(item, load)).toEqual({ body: "v2", result: "miss" });
    expect(state.asked).toEqual([`/${source}:1-2`]);
    await settled();
    expect((await cache.get(item, load)).result).toBe("hit");
  });

  test("in any order of events nothing older than an acknowledged write is served", async () => {
    const event = fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant("read" as const), node: fc.nat(1) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("write" as const), node: fc.nat(1) }) },
      { weight: 1, arbitrary: fc.constant({ do: "replicate" as const, node: 0 }) },
    );
    const metrics = createMetrics();
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 5, maxLength: 25 }),
        fc.scheduler(),
        async (events, scheduler) => {
          const store = new MemoryStore();
          store.before = (command) => scheduler.schedule(Promise.resolve(), command);
          const nodes = [0, 1].map(() => open(store, { leaseWaitMs: 2 }, metrics).cache);
          let committed = 0;
          let replicated = 0;
          let acknowledged = 0;
          const stale: string[] = [];
          const load: Load = async (after, wish) => {
            // A replica that is behind what is asked for sends the reader to the primary.
            const needed = Number(/\d+$/.exec(after)?.[0] ?? 0);
            const seen = needed > replicated ? committed : replicated;
            await scheduler.schedule(Promise.resolve(), "load");
            return { body: String(seen), covers: wish === undefined ? "" : upTo(seen) };
          };
          const act = async ({ do: what, node }: { do: string; node: number }) => {
            if (what === "replicate") replicated = committed;
            else if (what === "write") {
              const number = (committed += 1);
              await nodes[node]?.invalidate(["item:1"], gtid(number));
              acknowledged = Math.max(acknowledged, number);
            } else {
              const least = acknowledged;
              const got = await nodes[node]?.get(item, load);
              // From a replica a reader may get what is older; from the cache he must not.
              if (got?.result === "hit" && Number(got.body) < least) {
                stale.push(`${got.body} though ${least} was acknowledged`);
              }
            }
          };
          const all = events.map((one) =>
            scheduler.schedule(Promise.resolve(), one.do).then(() => act(one)),
          );
          await scheduler.waitFor(Promise.all(all));
          expect(stale).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
