import type { startLoad } from "../../loadtests/client";
import { awaitInService } from "../../operations/gate";
import type { Fault } from "../faults/fault";
import { machineKilled } from "../faults/machineKilled";
import { processKilled } from "../faults/processKilled";
import type { Scenario } from "./chaos";
import type { LiveStack } from "./liveStack";
import { watch } from "./measure";

/** A live stack with the hello application, under load. */
export interface WebStage {
  readonly stack: LiveStack;
  readonly load: Awaited<ReturnType<typeof startLoad>>;
}

interface Told {
  readonly name: string;
  readonly repetitions: number;
  /** Most seconds' worth of load that may fail each time. */
  readonly failedSeconds: number;
  /** The node that breaks this time. */
  readonly victim: (stack: LiveStack, repetition: number) => Promise<string>;
  readonly fault: (node: string, machine: string) => Fault;
}

const alternating = (tier: string) => async (_stack: LiveStack, repetition: number) =>
  `${tier}-${repetition % 2 === 0 ? "a" : "b"}`;

/** Breaks once, repairs, and waits until the node is in service again. */
function scenario({ name, repetitions, failedSeconds, victim, fault }: Told): Scenario<WebStage> {
  return {
    name,
    repetitions,
    bars: { failedSeconds },
    once: async ({ stack, load }, repetition) => {
      const node = await victim(stack, repetition);
      const gate = await stack.gateOf(node);
      const broken = fault(node, `vm-${node}`);
      const { seen, from, result } = await watch(load, async () => {
        await broken.inject(stack);
        await broken.heal(stack);
        await awaitInService(gate);
        return Date.now();
      });
      return {
        failedSeconds: seen.failureSeconds,
        longestMs: seen.longestMs,
        recoverySeconds: (result - from) / 1000,
      };
    },
  };
}

export const webScenarios: readonly Scenario<WebStage>[] = [
  scenario({
    name: "application process killed",
    repetitions: 20,
    failedSeconds: 0,
    victim: alternating("app"),
    fault: (node, machine) => processKilled(node, machine, "node"),
  }),
  scenario({
    name: "web process killed",
    repetitions: 20,
    failedSeconds: 0,
    victim: alternating("web"),
    fault: (node, machine) => processKilled(node, machine, "nginx"),
  }),
  scenario({
    name: "HAProxy killed on the active load balancer",
    repetitions: 20,
    failedSeconds: 0.5,
    victim: (stack) => stack.activeBalancer(),
    fault: (node, machine) => processKilled(node, machine, "haproxy"),
  }),
  scenario({
    name: "machine of the active load balancer killed",
    repetitions: 10,
    failedSeconds: 1.5,
    victim: (stack) => stack.activeBalancer(),
    fault: (_node, machine) => machineKilled(machine),
  }),
];
