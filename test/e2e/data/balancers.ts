import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { machineKilled } from "../../faults/machineKilled";
import { expectNothingFailed, expectNothingLost } from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { expectNoFailedRequest, expectOneAtATime } from "../../support/expectations";
import { replacedNodes } from "../../support/steps";

/** Load balancers, through which every session of the database goes. */
export function balancers(data: DataStack): void {
  const { stack } = data;

  it("replaces both load balancers under open database sessions", async () => {
    const nodes = ["lb-a", "lb-b"];
    const containers = await Promise.all(nodes.map((node) => stack.urn(`${node}-container`)));
    const watched = await data.watch(() =>
      stack.mustUp(containers.flatMap((container) => ["--replace", container])),
    );
    expect(replacedNodes(watched.result)).toEqual(nodes);
    expectOneAtATime(watched.result);
    expectNothingFailed(watched);
  });

  it("loses no acknowledged write when the active load balancer's machine is killed", async () => {
    const active = await stack.activeBalancer();
    const fault = machineKilled(`vm-${active}`);
    const watched = await data.watch(async () => {
      await fault.inject(stack);
      await sleep(10_000);
      await fault.heal(stack);
      await data.inService(active);
    });
    expectNothingLost(watched);
    expect(watched.seen.failureSeconds, watched.seen.describe()).toBeLessThanOrEqual(1.5);
    data.recordOutage("machine of the active load balancer killed", watched);
    // The pools have found the other one by then.
    const later = await data.watch(() => sleep(3000));
    expectNothingFailed(later);
    expectNoFailedRequest(later.seen);
  });
}
