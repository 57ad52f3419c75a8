import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoad, type Load } from "../../loadtests/client";
import { awaitInService } from "../../operations/gate";
import { machineKilled } from "../faults/machineKilled";
import { mustRun } from "../faults/fault";
import { expectNoFailedRequest } from "../support/expectations";
import { watchHost } from "../support/hostLoad";
import { LiveStack, type StackOutputs } from "../support/liveStack";
import { eventually, watch } from "../support/measure";
import { machineOf } from "../support/monitoredStack";
import { LabPebble } from "../support/pebble";
import { replacedNodes } from "../support/steps";
import { TlsWatch, verifiedSerial, type TlsTarget } from "../support/tlsWatch";

const network = "10.92.0.0/24";
const name = "shop.example.com";
/** Renewed after two thirds of it. */
const validSeconds = 300;
const balancers = ["lb-a", "lb-b"];

const stack = new LiveStack("acme", {
  machines: { network },
  webPool: { count: 1 },
  appPool: { count: 1 },
});
const pebble = new LabPebble("holdfast-acme", "10.92.0.8", validSeconds);

interface BalancerStatus {
  readonly acme?: {
    readonly certificate: string;
    readonly fits?: boolean;
    readonly shown: boolean;
  };
}

describe("a live stack with certificates by ACME", () => {
  let outputs: StackOutputs;
  let load: Load | undefined;
  let clients: TlsWatch | undefined;
  let target: TlsTarget;

  const theLoad = () => {
    if (!load) throw new Error("there is no load yet");
    return load;
  };
  const theClients = () => {
    if (!clients) throw new Error("there is no certificate to verify yet");
    return clients;
  };
  const shownBy = async (node: string) => {
    const text = await mustRun(stack, machineOf(node), `docker exec ${node} status`);
    const { acme } = JSON.parse(text) as BalancerStatus;
    return acme?.shown === true && acme.fits === true ? acme.certificate : undefined;
  };
  const bothShow = () =>
    eventually("both load balancers show the same certificate", 60, async () => {
      const [a, b] = await Promise.all(balancers.map(shownBy));
      return a !== undefined && a === b && a === (await verifiedSerial(target));
    });

  /** Runs the action; no request failed meanwhile, neither the load's nor one over TLS. */
  async function unnoticed<T>(action: () => Promise<T>): Promise<T> {
    clients?.reset();
    const { result, seen } = await watch(theLoad(), action);
    expectNoFailedRequest(seen);
    expect(clients?.failures ?? []).toEqual([]);
    return result;
  }

  beforeAll(async () => {
    await stack.make("down");
    await stack.init();
    await stack.mustUp();
    outputs = await stack.refreshMachines();
    await pebble.start(outputs.vip);
    target = { address: outputs.vip, name, authority: await pebble.root() };
    watchHost();
    load = await startLoad({
      targets: { http: `http://${outputs.vip}` },
      networks: [network],
      rate: 100,
      maxDurationMs: 3_600_000,
    });
  });

  afterAll(async () => {
    await clients?.stop();
    await load?.kill();
    await pebble.stop();
    const down = await stack.make("down");
    expect(down.ok, down.output).toBe(true);
  });

  it("gets one through the virtual address, and no request fails", async () => {
    stack.configure({
      loadBalancer: {
        certificate: "acme",
        hostnames: [name],
        acme: {
          directory: pebble.directory,
          directoryAuthority: pebble.directoryAuthority,
          email: "ops@example.com",
          termsAgreed: true,
        },
      },
    });
    await unnoticed(async () => {
      const run = await stack.mustUp();
      expect(replacedNodes(run)).toEqual(balancers);
      await eventually("a client that trusts the authority alone is served", 120, () =>
        verifiedSerial(target).then(
          () => true,
          () => false,
        ),
      );
      await bothShow();
    });
    clients = new TlsWatch(target);
  });

  it("shows no change in another update", async () => {
    const run = await stack.mustUp();
    expect(run.changes, run.output).toEqual({});
  });

  it("renews it with one load balancer down, and gives it to the one that comes back", async () => {
    const active = await stack.activeBalancer();
    const fault = machineKilled(machineOf(active));
    await fault.inject(stack);
    try {
      // What a killed machine held is lost; from here on nothing may be.
      await sleep(10_000);
      const before = await verifiedSerial(target);
      await unnoticed(() =>
        eventually("another certificate is shown", validSeconds, async () => {
          return (await verifiedSerial(target)) !== before;
        }),
      );
      expect(theClients().serials.size).toBe(2);
    } finally {
      await fault.heal(stack);
    }
    await unnoticed(async () => {
      await awaitInService(await stack.gateOf(active));
      await bothShow();
    });
  });

  it("keeps it when a load balancer is replaced", async () => {
    const container = await stack.urn("lb-a-container");
    await unnoticed(async () => {
      await stack.mustUp(["--replace", container]);
      await bothShow();
    });
    // One at most was due meanwhile: a replaced node orders none.
    expect(theClients().serials.size).toBeLessThanOrEqual(2);
  });

  it("tells nobody its private key", async () => {
    for (const node of balancers) {
      const shown = await mustRun(
        stack,
        machineOf(node),
        `docker logs ${node} 2>&1; docker inspect ${node}; docker exec ${node} status`,
      );
      expect(shown).toContain("certificate of the edge");
      expect(shown).not.toContain("PRIVATE KEY");
    }
  });
});
