import { readFileSync } from "node:fs";
import path from "node:path";
import { planStack, type PlannedMachine } from "../model/stack";
import { tiers } from "../tiers";
import { choice, runIfProgram, say, variable, words } from "./command";
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
  lostWith,
  nodesOn,
  sourceOf,
  without,
  type DockerObject,
  type Engine,
  type StackState,
} from "./stackState";
import { bringUp } from "./up";

/** Removes a Docker object if it exists and carries this stack's label. */
async function removeOwn(
  kind: DockerObject["kind"],
  name: string,
  engine: Engine,
  stack: string,
): Promise<void> {
  const object = { urn: "", kind, name, engine, operation: "" };
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

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  requireConfigFile(stack);
  let state = await requireState(stack);
  const machines = deployedMachines(state);
  const machine = choice("MACHINE", machines.keys());
  const target = machines.get(machine);
  if (!target) return;
  await breakStaleLocks(stack);
  state = await settle(stack, state);

  const nodes = nodesOn(state, machine).map(({ node }) => node);
  const inLab = sourceOf(state) === "lab";
  const adopt = inLab ? undefined : await newMachine(stack, machine);
  if (inLab) await plannedMachine(stack, machine);
  const dead = await engineProblem(target);
  if (dead) say(`machine ${machine}: ${dead}`);
  else await drainNodes(state, machine);

  await forget(target);
  if (adopt) {
    const engine = adopt();
    for (const node of nodes) await removeOwn("container", node, engine, stack.name);
  } else {
    const name = `holdfast-${stack.name}-${machine}`;
    await removeOwn("container", name, "local", stack.name);
    await removeOwn("volume", name, "local", stack.name);
  }
  say(`making ${machine} anew with ${nodes.join(", ")}`);
  await writeState(stack, without(state, lostWith(state, machine)));
  await bringUp(stack, words(variable("ARGS") ?? ""));
  say(`${machine} is back with ${nodes.join(", ")}`);
}

runIfProgram(import.meta.url, main);
