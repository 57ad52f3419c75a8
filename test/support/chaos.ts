import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { startLoad } from "../../loadtests/client";
import { projectRoot } from "../../model/rendering";
import { awaitInService } from "../../operations/gate";
import type { Fault } from "../faults/fault";
import { machineKilled } from "../faults/machineKilled";
import { processKilled } from "../faults/processKilled";
import type { LiveStack } from "./liveStack";
import { watch } from "./measure";

type Load = Awaited<ReturnType<typeof startLoad>>;

/** A fault that is repeated on a live stack, and what clients may see of it. */
export interface Scenario {
  readonly name: string;
  readonly repetitions: number;
  /** Most seconds' worth of load that may fail each time. */
  readonly failedSecondsAllowed: number;
  /** The node that breaks this time. */
  readonly victim: (stack: LiveStack, repetition: number) => Promise<string>;
  readonly fault: (node: string, machine: string) => Fault;
}

/** What one repetition showed. */
export interface Sample {
  readonly failedSeconds: number;
  readonly longestMs: number;
  /** From the fault until the node was in service again. */
  readonly recoverySeconds: number;
}

/** Result of a scenario, as kept in docs/chaos.json. */
export interface ChaosResult {
  readonly at: string;
  readonly repetitions: number;
  readonly failedSecondsAllowed: number;
  readonly failedSeconds: Spread;
  readonly longestMs: Spread;
  readonly recoverySeconds: Spread;
}

interface Spread {
  readonly median: number;
  readonly max: number;
}

const alternating = (tier: string) => async (_stack: LiveStack, repetition: number) =>
  `${tier}-${repetition % 2 === 0 ? "a" : "b"}`;

export const scenarios: readonly Scenario[] = [
  {
    name: "application process killed",
    repetitions: 20,
    failedSecondsAllowed: 0,
    victim: alternating("app"),
    fault: (node, machine) => processKilled(node, machine, "node"),
  },
  {
    name: "web process killed",
    repetitions: 20,
    failedSecondsAllowed: 0,
    victim: alternating("web"),
    fault: (node, machine) => processKilled(node, machine, "nginx"),
  },
  {
    name: "HAProxy killed on the active load balancer",
    repetitions: 20,
    failedSecondsAllowed: 0.5,
    victim: (stack) => stack.activeBalancer(),
    fault: (node, machine) => processKilled(node, machine, "haproxy"),
  },
  {
    name: "machine of the active load balancer killed",
    repetitions: 10,
    failedSecondsAllowed: 1.5,
    victim: (stack) => stack.activeBalancer(),
    fault: (_node, machine) => machineKilled(machine),
  },
];

/** Breaks once, repairs, and waits until the node is in service again. */
export async function repeatOnce(
  scenario: Scenario,
  stack: LiveStack,
  load: Load,
  repetition: number,
): Promise<Sample> {
  const node = await scenario.victim(stack, repetition);
  const gate = await stack.gateOf(node);
  const fault = scenario.fault(node, `vm-${node}`);
  const { seen, from, result } = await watch(load, async () => {
    await fault.inject(stack);
    await fault.heal(stack);
    await awaitInService(gate);
    return Date.now();
  });
  return {
    failedSeconds: seen.failureSeconds,
    longestMs: seen.longestMs,
    recoverySeconds: (result - from) / 1000,
  };
}

const resultFile = path.join(projectRoot, "docs", "chaos.json");

interface ChaosFile {
  readonly machine: { readonly cpus: number; readonly model: string };
  readonly scenarios: Readonly<Record<string, ChaosResult>>;
}

/** Results so far; empty before the first run. */
export function chaosResults(): Readonly<Record<string, ChaosResult>> {
  try {
    return (JSON.parse(readFileSync(resultFile, "utf8")) as ChaosFile).scenarios;
  } catch {
    return {};
  }
}

/** Scenarios with the oldest result first, those without one before all. */
export function oldestFirst(results: Readonly<Record<string, ChaosResult>>): Scenario[] {
  const at = ({ name }: Scenario) => results[name]?.at ?? "";
  return [...scenarios].sort((a, b) => at(a).localeCompare(at(b)));
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const round = (value: number) => Math.round(value * 1000) / 1000;
  return {
    median: round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    max: round(sorted[sorted.length - 1] ?? 0),
  };
}

/** Keeps a scenario's result in docs/chaos.json. */
export function keepResult(scenario: Scenario, samples: readonly Sample[]): void {
  const result: ChaosResult = {
    at: new Date().toISOString(),
    repetitions: samples.length,
    failedSecondsAllowed: scenario.failedSecondsAllowed,
    failedSeconds: spread(samples.map(({ failedSeconds }) => failedSeconds)),
    longestMs: spread(samples.map(({ longestMs }) => longestMs)),
    recoverySeconds: spread(samples.map(({ recoverySeconds }) => recoverySeconds)),
  };
  const file: ChaosFile = {
    machine: { cpus: os.cpus().length, model: os.cpus()[0]?.model ?? "unknown" },
    scenarios: { ...chaosResults(), [scenario.name]: result },
  };
  writeFileSync(resultFile, `${JSON.stringify(file, null, 2)}\n`);
}

const progressFolder = path.join(projectRoot, ".build", "chaos");
const progressFile = ({ name }: Scenario) =>
  path.join(progressFolder, `${name.replace(/\W+/g, "-")}.json`);

/** Samples of an unfinished run, so that a run that was cut off goes on where it was. */
export function unfinished(scenario: Scenario): Sample[] {
  try {
    return JSON.parse(readFileSync(progressFile(scenario), "utf8")) as Sample[];
  } catch {
    return [];
  }
}

/** Remembers samples of an unfinished run; an empty list forgets them. */
export function keepUnfinished(scenario: Scenario, samples: readonly Sample[]): void {
  if (samples.length === 0) return rmSync(progressFile(scenario), { force: true });
  mkdirSync(progressFolder, { recursive: true });
  writeFileSync(progressFile(scenario), JSON.stringify(samples));
}
