import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoFailedRequest } from "../support/expectations";
import { LiveStack, type StackOutputs } from "../support/liveStack";
import { steadyLoad, watch } from "../support/measure";
import { replacedNodes } from "../support/steps";
import { startVirtualMachines, type VirtualMachines } from "../support/virtualMachines";

const prefix = "10.81.0";

describe("a stack on machines that were there before", () => {
  let machines: VirtualMachines;
  let stack: LiveStack;
  let outputs: StackOutputs;
  let load: Awaited<ReturnType<typeof steadyLoad>> | undefined;

  beforeAll(async () => {
    machines = await startVirtualMachines(prefix, {
      n1: 11,
      n2: 12,
      n3: 21,
      n4: 22,
      n5: 31,
      n6: 32,
    });
    stack = new LiveStack("inventory", {
      ...machines.settings,
      loadBalancer: {
        machines: ["n1", "n2"],
        edgeVip: `${prefix}.5`,
        internalVip: `${prefix}.6`,
      },
      webPool: { machines: ["n3", "n4"] },
      appPool: { machines: ["n5", "n6"] },
    });
    // What a run that was cut off left is of machines that are no more.
    await stack.make("down", { CONFIRM: "inventory" });
    await stack.forget();
    await stack.init();
  });

  afterAll(async () => {
    await load?.kill();
    await stack.make("down", { CONFIRM: "inventory" });
    await machines.remove();
  });

  it("comes up and serves", async () => {
    await stack.mustUp();
    outputs = await stack.refreshMachines();
    const { stdout } = await execa("curl", ["-fsS", "-m", "5", `${outputs.url}/ping`]);
    expect(stdout).toContain("pong");
  });

  it("shows no change in the next update", async () => {
    const run = await stack.mustUp(["--refresh"]);
    expect(run.changes, run.output).toEqual({});
  });

  it("rolls the application under load without a failed request", async () => {
    load = await steadyLoad(outputs, `${prefix}.0/24`);
    stack.configure({ appPool: { environment: { GREETING: "rolled" } } });
    const { result, seen } = await watch(load, () => stack.mustUp());
    expect(replacedNodes(result)).toEqual(["app-a", "app-b"]);
    expectNoFailedRequest(seen);
  });

  it("serves on when a machine of the web pool is lost, and with it when it is back", async () => {
    if (!load) throw new Error("the load of the test before is missing");
    const begun = Date.now();
    const lost = await watch(load, async () => {
      await execa("docker", ["kill", "holdfast-inventory-n4"]);
      await new Promise((resolve) => setTimeout(resolve, 8000));
    });
    expectNoFailedRequest((await load.report()).window(begun + 2000, lost.to));
    const back = await watch(load, async () => {
      await execa("docker", ["start", "holdfast-inventory-n4"]);
      const repaired = await stack.make("repair", { NODE: "web-b" });
      expect(repaired.ok, repaired.output).toBe(true);
    });
    expectNoFailedRequest(back.seen);
  });
});
