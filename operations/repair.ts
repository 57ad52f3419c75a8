import { judge, type Verdict } from "../model/gate";
import { choice, runIfProgram, say, variable, words } from "./command";
import { mustDocker } from "./engine";
import { awaitInService, observe, type GateSpec } from "./gate";
import {
  breakStaleLocks,
  requireState,
  runPulumi,
  stackFromEnvironment,
  type Stack,
} from "./pulumi";
import { engineProblem } from "./reach";
import { settle } from "./settle";
import {
  containerOf,
  gateSpecs,
  machineOf,
  stopTimeoutOf,
  targetArguments,
  type StackState,
} from "./stackState";

/** What is tried on a node, in this order, until it is in service. */
export type Remedy = "start" | "restart" | "replace";

/**
 * What may help a node, by the state of its container (undefined where there is none): a stopped
 * one is started, a running one restarted, and what that does not cure is replaced.
 */
export function remediesFor(container: { readonly state: string } | undefined): Remedy[] {
  if (!container || container.state === "dead") return ["replace"];
  const stopped = container.state === "exited" || container.state === "created";
  return [stopped ? "start" : "restart", "replace"];
}

async function look(
  spec: GateSpec,
): Promise<{ verdict: Verdict; container: { readonly state: string } | undefined }> {
  const [seen, balancers] = await observe(spec, spec.node);
  return { verdict: judge(spec.service, seen, balancers), container: seen.container };
}

async function apply(
  remedy: Remedy,
  stack: Stack,
  state: StackState,
  spec: GateSpec,
): Promise<void> {
  const { node } = spec;
  if (remedy === "start") {
    say(`starting ${node}`);
    await mustDocker(machineOf(spec), ["start", node]);
  } else if (remedy === "restart") {
    const seconds = stopTimeoutOf(state, node);
    say(`restarting ${node}`);
    await mustDocker(machineOf(spec), ["restart", "--time", String(seconds), node], seconds + 30);
  } else {
    say(`replacing ${node}`);
    const container = containerOf(state, node);
    await runPulumi("up", stack, [
      "--yes",
      "--skip-preview",
      "--suppress-outputs",
      ...targetArguments([node], []),
      ...(container ? ["--replace", container] : []),
      ...words(variable("ARGS") ?? ""),
    ]);
  }
}

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  let state = await requireState(stack);
  const specs = gateSpecs(state);
  const node = choice(
    "NODE",
    specs.map((spec) => spec.node),
  );
  const spec = specs.find((candidate) => candidate.node === node);
  if (!spec) return;
  const machine = machineOf(spec);
  const dead = await engineProblem(machine);
  if (dead) {
    throw new Error(
      `machine ${machine.machine} of ${node}: ${dead}\nbring it and its nodes back with: make replace-machine MACHINE=${machine.machine} STACK=${stack.reference}`,
    );
  }
  const { verdict, container } = await look(spec);
  if (verdict.kind === "in service") {
    say(`${node} is in service; there is nothing to repair`);
    return;
  }
  say(`${node} is not in service: ${verdict.reason}`);
  const remedies = remediesFor(container);
  for (const [index, remedy] of remedies.entries()) {
    try {
      if (remedy === "replace") {
        await breakStaleLocks(stack);
        state = await settle(stack, state);
      }
      await apply(remedy, stack, state, spec);
      await awaitInService(spec);
      say(`${node} is in service`);
      return;
    } catch (error) {
      if (index === remedies.length - 1) throw error;
      console.error(error instanceof Error ? error.message : error);
    }
  }
}

runIfProgram(import.meta.url, main);
