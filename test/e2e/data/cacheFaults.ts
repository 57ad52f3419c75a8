import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { machineKilled } from "../../faults/machineKilled";
import { nodesKilled } from "../../faults/nodesKilled";
import { expectNothingFailed } from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { eventually } from "../../support/measure";
import { statusOf } from "../../support/members";

/** The cache may be gone: only slower is what clients may see of it. */
export function cacheFaults(data: DataStack): void {
  const { stack } = data;

  it("fails no request when the machine of the cache's master is killed", async () => {
    const [master, ...others] = await data.caches();
    const fault = machineKilled(master.machine);
    expect(await data.secondsUntilHits(30)).toBeLessThanOrEqual(30);
    const watched = await data.watch(async () => {
      await fault.inject(stack);
      const begun = Date.now();
      await eventually("another master", 30, async () => {
        const states = await Promise.all(others.map((node) => statusOf(stack, node)));
        return states.filter((status) => status?.role === "master").length === 1;
      });
      data.figures.record("cache's master killed: another after", since(begun), "s");
      const seconds = await data.secondsUntilHits(30);
      data.figures.record("cache's master killed: hits after the failover", seconds, "s", "5");
      await fault.heal(stack);
      await data.inService(master.node);
    });
    expectNothingFailed(watched);
    const [successor] = await data.caches();
    expect(successor.node).not.toBe(master.node);
  });

  it("fails no request while the whole cache is down, and fills it again", async () => {
    const nodes = await data.nodesOf("redisCache");
    const fault = nodesKilled(nodes);
    const watched = await data.watch(async () => {
      await fault.inject(stack);
      const before = await data.cacheHits();
      await sleep(10_000);
      expect(await data.cacheHits(), "hits while there is no cache").toBe(before);
      await fault.heal(stack);
      const begun = Date.now();
      await data.secondsUntilHits(60);
      data.figures.record("whole cache down: hits again after", since(begun), "s", "30");
      await data.inService(...nodes.map(({ node }) => node));
    });
    expectNothingFailed(watched);
    expect(watched.seen.planned).toBeGreaterThan(1000);
  });
}

const since = (time: number) => (Date.now() - time) / 1000;
