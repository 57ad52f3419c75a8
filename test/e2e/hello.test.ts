import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../model/rendering";
import { awaitInService } from "../../operations/gate";
import { machineDestroyed } from "../faults/machineDestroyed";
import { machineKilled } from "../faults/machineKilled";
import { nodeStopped } from "../faults/nodeStopped";
import { processesFrozen } from "../faults/processesFrozen";
import { processKilled } from "../faults/processKilled";
import { chaosResults, missed, oldestFirst, scenarios } from "../support/chaos";
import { expectNoFailedRequest, expectOneAtATime } from "../support/expectations";
import { LiveStack, type StackOutputs } from "../support/liveStack";
import { eventually, steadyLoad, watch } from "../support/measure";
import { plannedReplacements, replacedNodes } from "../support/steps";

const network = "10.78.0.0/24";
const everyTierChanged = {
  appPool: { environment: { GREETING: "good evening" } },
  webPool: { readTimeoutSeconds: 29 },
  loadBalancer: { requestTimeoutSeconds: 31 },
};
const stack = new LiveStack("test", { machines: { network } });
const rate = 300;
// What the tests after that one go on from: they change one thing each.
const settled = { ...everyTierChanged, webPool: { readTimeoutSeconds: 28 } };

describe("a live stack", () => {
  let outputs: StackOutputs;
  let load: Awaited<ReturnType<typeof steadyLoad>>;

  const fetchText = async (url: string) => {
    const { stdout } = await execa("curl", ["-fsS", "-m", "5", url]);
    return stdout;
  };
  const machineOf = (node: string) => `vm-${node}`;
  const inService = async (node: string) => {
    const spec = await stack.gateOf(node);
    await awaitInService(spec);
  };

  beforeAll(async () => {
    await stack.make("down");
    await stack.init();
    await stack.mustUp();
    outputs = await stack.refreshMachines();
  });

  // Unset where the stack did not come up.
  const started = () => load as typeof load | undefined;

  afterAll(async () => {
    await started()?.kill();
    const down = await stack.make("down");
    expect(down.ok, down.output).toBe(true);
  });

  it("serves the hello application through the virtual address, over HTTP, HTTPS and HTTP/2", async () => {
    expect(await fetchText(`${outputs.url}/ping`)).toContain("pong");
    const certificate = path.join(projectRoot, ".build", "stacks", "test", "ca.pem");
    writeFileSync(certificate, outputs.caCertificate);
    const { stdout } = await execa("curl", [
      ...["-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"],
      ...["--cacert", certificate, `https://${outputs.vip}/ping`],
    ]);
    expect(stdout).toBe("2 200");
  });

  it("shows no change in three updates in a row, with and without refresh", async () => {
    for (const args of [[], ["--refresh"], []]) {
      const run = await stack.mustUp(args);
      expect(run.changes, run.output).toEqual({});
    }
    const preview = await stack.preview();
    expect(preview.changes, preview.output).toEqual({});
  });

  it("names exactly the nodes to be replaced in the preview of a one-tier change", async () => {
    stack.configure({ appPool: { environment: { GREETING: "previewed" } } });
    const preview = await stack.preview();
    expect(plannedReplacements(preview), preview.output).toEqual(["app-a", "app-b"]);
    stack.configure({});
  });

  describe("under 300 requests a second", () => {
    beforeAll(async () => {
      load = await steadyLoad(outputs, network);
    });

    it("rolls a changed greeting over the app nodes, one at a time", async () => {
      stack.configure({ appPool: { environment: { GREETING: "good morning" } } });
      const { result, seen } = await watch(load, () => stack.mustUp());
      expect(replacedNodes(result)).toEqual(["app-a", "app-b"]);
      expectOneAtATime(result);
      expectNoFailedRequest(seen);
      expect(await fetchText(outputs.url)).toContain("good morning");
    });

    it.each(["web-a", "web-b", "lb-a", "lb-b"])("replaces %s", async (node) => {
      const container = await stack.urn(`${node}-container`);
      const { result, seen } = await watch(load, () => stack.mustUp(["--replace", container]));
      expect(replacedNodes(result)).toEqual([node]);
      expectNoFailedRequest(seen);
    });

    it.each(["vm-web-a", "vm-lb-a", "vm-app-a"])("replaces machine %s", async (machine) => {
      const container = await stack.urn(`${machine}-machine`);
      const { result, seen } = await watch(load, () => stack.mustUp(["--replace", container]));
      expect(replacedNodes(result)).toEqual([machine.replace("vm-", "")]);
      expectOneAtATime(result);
      expectNoFailedRequest(seen);
    });

    it("replaces only the nodes of a role whose image files changed", async () => {
      const added = path.join(projectRoot, "images", "web", "bin", "added-by-a-test");
      writeFileSync(added, "");
      try {
        const { result, seen } = await watch(load, () => stack.mustUp());
        expect(replacedNodes(result)).toEqual(["web-a", "web-b"]);
        expectOneAtATime(result);
        expectNoFailedRequest(seen);
      } finally {
        rmSync(added);
      }
      const back = await watch(load, () => stack.mustUp());
      expectNoFailedRequest(back.seen);
    });

    it.each(["lb-a", "lb-b", "app-a", "app-b", "web-a", "web-b"])(
      "maintains the machine of %s with a reboot",
      async (node) => {
        const { result, seen } = await watch(load, () =>
          stack.make("maintain", { MACHINE: machineOf(node), REBOOT: "1" }),
        );
        expect(result.ok, result.output).toBe(true);
        expectNoFailedRequest(seen);
      },
    );

    it("rolls a change that touches every tier, never two nodes of one at once", async () => {
      stack.configure(everyTierChanged);
      const { result, seen } = await watch(load, () => stack.mustUp());
      expect(replacedNodes(result)).toEqual(["lb-a", "lb-b", "app-a", "app-b", "web-a", "web-b"]);
      expectOneAtATime(result);
      expectNoFailedRequest(seen);
    });

    it("refuses to roll while the only other node is down, and names the repair", async () => {
      stack.configure(everyTierChanged);
      await stack.mustUp();
      const fault = nodeStopped("web-b", machineOf("web-b"));
      await fault.inject(stack);
      try {
        stack.configure(settled);
        const { result, seen } = await watch(load, () => stack.up());
        expect(result.ok).toBe(false);
        expect(result.output).toContain("make repair NODE=web-b");
        expect(replacedNodes(result)).toEqual([]);
        expectNoFailedRequest(seen);
        const repaired = await watch(load, () => stack.make("repair", { NODE: "web-b" }));
        expect(repaired.result.ok, repaired.result.output).toBe(true);
        expectNoFailedRequest(repaired.seen);
      } finally {
        await fault.heal(stack);
      }
      const rolled = await watch(load, () => stack.mustUp());
      expect(replacedNodes(rolled.result)).toContain("web-a");
      expectNoFailedRequest(rolled.seen);
    });

    it.each([
      ["app-a", "node"],
      ["web-a", "nginx"],
    ])(
      "loses no GET when the process of %s is killed, and it comes back by itself",
      async (node, process) => {
        const { seen } = await watch(load, async () => {
          await processKilled(node, machineOf(node), process).inject(stack);
          await inService(node);
        });
        expectNoFailedRequest(seen);
      },
    );

    it("stops the roll of a broken version at the first node and is repaired by the next update", async () => {
      stack.configure({
        ...settled,
        appPool: { command: ["node", "-e", "console.error('broken on purpose'); process.exit(3)"] },
      });
      const broken = await watch(load, () => stack.up());
      expect(broken.result.ok).toBe(false);
      expect(replacedNodes(broken.result)).toEqual(["app-a"]);
      expect(broken.result.output).toContain("app-a");
      expect(broken.result.output).toContain("broken on purpose");
      expectNoFailedRequest(broken.seen);
      stack.configure(settled);
      const repaired = await watch(load, () => stack.mustUp());
      expectNoFailedRequest(repaired.seen);
      await inService("app-a");
    });

    it("fails no request while both web nodes stand still for two seconds", async () => {
      const nodes = ["web-a", "web-b"];
      const faults = nodes.map((node) => processesFrozen(node, machineOf(node)));
      const { seen } = await watch(load, async () => {
        await Promise.all(faults.map((fault) => fault.inject(stack)));
        await sleep(2000);
        await Promise.all(faults.map((fault) => fault.heal(stack)));
        for (const node of nodes) await inService(node);
      });
      expectNoFailedRequest(seen);
      // They did stand still.
      expect(seen.longestMs, seen.describe()).toBeGreaterThan(1000);
    });

    it("loses at most half a second of load when HAProxy is killed on the active load balancer", async () => {
      const active = await stack.activeBalancer();
      const { seen } = await watch(load, async () => {
        await processKilled(active, machineOf(active), "haproxy").inject(stack);
        await inService(active);
      });
      expect(seen.failed / rate, seen.describe()).toBeLessThanOrEqual(0.5);
      expect(seen.longestMs, seen.describe()).toBeLessThanOrEqual(2000);
    });

    it("loses at most 1.5 seconds of load when the active load balancer's machine is killed", async () => {
      const active = await stack.activeBalancer();
      const fault = machineKilled(machineOf(active));
      const { seen } = await watch(load, async () => {
        await fault.inject(stack);
        await eventually("one machine answers ARP for the virtual address", 3, async () => {
          return (await stack.arpAnswerers(outputs.vip, "vm-app-a")).length === 1;
        });
        await new Promise((resolve) => setTimeout(resolve, 5000));
      });
      expect(seen.failed / rate, seen.describe()).toBeLessThanOrEqual(1.5);
      expect(seen.longestMs, seen.describe()).toBeLessThanOrEqual(2000);
      const healed = await watch(load, async () => {
        await fault.heal(stack);
        await inService(active);
      });
      expectNoFailedRequest(healed.seen);
    });

    it("brings back exactly a machine that was destroyed behind Pulumi's back", async () => {
      const fault = machineDestroyed("vm-web-b");
      const begun = Date.now();
      await fault.inject(stack);
      const plain = await stack.up();
      expect(plain.ok).toBe(false);
      expect(plain.output).toContain("make replace-machine MACHINE=vm-web-b");
      await fault.heal(stack);
      const after = (await load.report()).window(begun + 2000, Date.now());
      expectNoFailedRequest(after);
      const run = await stack.mustUp();
      expect(run.changes, run.output).toEqual({});
    });

    it("keeps every bar in a slice of chaos, the scenario with the oldest result", async () => {
      const [scenario] = oldestFirst(scenarios.web, chaosResults());
      if (!scenario) throw new Error("there is no chaos scenario");
      for (let repetition = 0; repetition < 4; repetition++) {
        const sample = await scenario.once({ stack, load }, repetition);
        expect(missed(scenario, sample), scenario.name).toEqual([]);
      }
    });

    it("scales the web pool from two to four and back", async () => {
      stack.configure({ ...settled, webPool: { ...settled.webPool, count: 4 } });
      const grown = await watch(load, () => stack.mustUp());
      expectOneAtATime(grown.result);
      expectNoFailedRequest(grown.seen);
      const nodes = (await stack.outputs()).nodes["webPool"];
      expect(Object.keys(nodes ?? {})).toEqual(["web-a", "web-b", "web-c", "web-d"]);
      stack.configure(settled);
      const shrunk = await watch(load, () => stack.mustUp());
      expectNoFailedRequest(shrunk.seen);
    });
  });
});
