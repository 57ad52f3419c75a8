import { readFileSync } from "node:fs";
import path from "node:path";
import { planStack, type PlannedMachine } from "../model/stack";
import { tiers } from "../tiers";
import { runIfProgram, say, variable, words } from "./command";
import { look, remove } from "./engine";
import { guard } from "./gate";
import { drain } from "./maintain";
import {
  breakStaleLocks,
  readSettings,
  requireConfigFile,
  requireState,
  stackFromEnvironment,
  writeState,
  type Stack,
} from "./pulumi";
import { engineProblem } from "./reach";
import { settle } from "./settle";
import { forget, sshFolder, storeKeys, type SshTarget } from "./ssh";
import {
  deployedMachines,
  jobsOn,
  lostWith,
  machineOf,
  nodesOn,
  sourceOf,
  targetArguments,
  without,
  type DockerObject,
  type Engine,
  type StackState,
} from "./stackState";
import { bringUp, requireEngines, requireStages } from "./up";

/** An object of an engine by its name, for a look at it. */
const named = (kind: DockerObject["kind"], name: string, engine: Engine): DockerObject => ({
  urn: "",
  kind,
  name,
  engine,
  operation: "",
});

/** Removes a Docker object if it exists and carries this stack's label. */
async function removeOwn(
  kind: DockerObject["kind"],
  name: string,
  engine: Engine,
  stack: string,
): Promise<void> {
  const object = named(kind, name, engine);
  const seen = await look(object);
  if (seen === undefined) return;
  if (seen === "unknown" || seen.stack !== stack) {
    throw new Error(
      `${kind} ${name} does not belong to stack ${stack}${seen === "unknown" ? " as far as can be seen" : ""}; remove or rename it, then try again`,
    );
  }
  await remove(object);
}

/** Takes the nodes of a machine that still answers out of service, one by one. */
async function drainNodes(state: StackState, machine: string): Promise<void> {
  for (const spec of nodesOn(state, machine).reverse()) {
    if ((await look(named("container", spec.node, machineOf(spec)))) === undefined) {
      // An update that was interrupted between its removal and its return.
      say(`${spec.node} is not there: nothing to drain`);
      continue;
    }
    await guard(spec);
    await drain(state, spec);
  }
}

/** The machine as the settings have it now. */
async function plannedMachine(stack: Stack, machine: string): Promise<PlannedMachine> {
  const { machines } = planStack(tiers, await readSettings(stack));
  const planned = machines.find(({ key }) => key === machine);
  if (planned) return planned;
  throw new Error(
    `MACHINE: found ${machine}, which the settings no longer have; a plain make up STACK=${stack.reference} removes it`,
  );
}

/**
 * The machine of the inventory that the settings name now. Throws where it does not answer with
 * the host key of the settings; what is known of the present machine stays as it is.
 */
async function newMachine(stack: Stack, machine: string): Promise<() => SshTarget> {
  const { ssh: at, hostKey = "" } = await plannedMachine(stack, machine);
  const privateKey = readFileSync(path.join(sshFolder(stack.name), "id"), "utf8");
  const candidate: SshTarget = { stack: stack.name, machine: `${machine}.new`, ...at };
  storeKeys(candidate, privateKey, hostKey);
  const problem = await engineProblem(candidate);
  await forget(candidate);
  if (problem) {
    throw new Error(
      [
        `machine ${machine}: ${problem}`,
        `prepare the new machine first: its address in holdfast:machines.list.${machine}.address, its public host key (ssh-keyscan prints it) in holdfast:machines.list.${machine}.hostKey; nothing was changed`,
      ].join("\n"),
    );
  }
  return () => {
    const target: SshTarget = { ...candidate, machine };
    storeKeys(target, privateKey, hostKey);
    return target;
  };
}

/** Makes room for one machine: drained if it lives, its remains removed, its SSH files forgotten. */
async function clear(stack: Stack, state: StackState, target: SshTarget): Promise<void> {
  const { machine } = target;
  const inLab = sourceOf(state) !== "inventory";
  const adopt = inLab ? undefined : await newMachine(stack, machine);
  if (inLab) await plannedMachine(stack, machine);
  const dead = await engineProblem(target);
  if (dead) say(`machine ${machine}: ${dead}`);
  else await drainNodes(state, machine);
  await forget(target);
  if (adopt) {
    const engine = adopt();
    const nodes = nodesOn(state, machine).map(({ node }) => node);
    for (const container of [...nodes, ...jobsOn(state, machine)]) {
      await removeOwn("container", container, engine, stack.name);
    }
  } else {
    const name = `holdfast-${stack.name}-${machine}`;
    await removeOwn("container", name, "local", stack.name);
    await removeOwn("volume", name, "local", stack.name);
  }
}

/** The machines of variable `MACHINE`: keys with commas between them. */
function chosen(machines: ReadonlyMap<string, SshTarget>): SshTarget[] {
  const keys = (variable("MACHINE") ?? "").split(/[\s,]+/).filter(Boolean);
  const targets = keys.map((key) => machines.get(key));
  if (keys.length > 0 && targets.every((target) => target !== undefined)) return targets;
  throw new Error(
    `MACHINE: found ${keys.join(",") || "nothing"}, allowed: ${[...machines.keys()].join(", ")}, or several of them with commas`,
  );
}

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  requireConfigFile(stack);
  const before = await requireState(stack);
  const targets = chosen(deployedMachines(before, stack.name));
  const machines = targets.map(({ machine }) => machine);
  await breakStaleLocks(stack);
  const state = await settle(stack, before);
  await requireEngines(stack, state, machines);
  requireStages(stack, state);
  for (const target of targets) await clear(stack, state, target);

  const nodes = machines.flatMap((machine) => nodesOn(state, machine).map(({ node }) => node));
  const names = `${machines.join(", ")} with ${nodes.join(", ")}`;
  say(`making ${names} anew`);
  const jobs = machines.flatMap((machine) => jobsOn(state, machine));
  const lost = machines.flatMap((machine) => lostWith(state, machine));
  await writeState(stack, without(state, lost));
  // Confined to them: other changes would roll nodes that these must stand in for.
  await bringUp(stack, [
    ...targetArguments([...nodes, ...jobs], machines),
    ...words(variable("ARGS") ?? ""),
  ]);
  say(`back: ${names}`);
}

runIfProgram(import.meta.url, main);
