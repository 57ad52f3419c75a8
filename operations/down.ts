import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline/promises";
import { execa } from "execa";
import { metricsFolder } from "../model/deployMarkers";
import { firewallRemoveScript } from "../model/firewall";
import { runIfProgram, say, variable, words } from "./command";
import { backupKeyOf, keepBackupKey } from "./backupKeys";
import { labelled, mustDocker } from "./engine";
import { goingDownFile } from "./gate";
import {
  breakStaleLocks,
  dropStack,
  Interrupted,
  readOutputs,
  readState,
  runPulumi,
  stackFromEnvironment,
  type Stack,
} from "./pulumi";
import { configuredSource, settingsOf } from "./settingsFile";
import { settle } from "./settle";
import { ssh, sshFolder, type SshTarget } from "./ssh";
import { deployedCount, deployedMachines, sourceOf, type StackState } from "./stackState";

/** Ends the shared SSH connections of the stack and removes its keys. */
async function removeSshFiles(stack: string): Promise<void> {
  const folder = sshFolder(stack);
  if (!existsSync(folder)) return;
  const sockets = readdirSync(folder).filter((file) => file.endsWith(".sock"));
  await Promise.all(
    sockets.map((socket) =>
      execa("ssh", ["-o", `ControlPath=${path.join(folder, socket)}`, "-O", "exit", "machine"], {
        reject: false,
      }),
    ),
  );
  rmSync(folder, { recursive: true, force: true });
}

/** Removes everything with the stack's label from this computer's engine. */
async function removeLabelled(stack: string): Promise<void> {
  // Volumes and networks are free only once their containers are gone.
  for (const kind of ["container", "volume", "network"] as const) {
    const left = await labelled(kind, stack);
    if (left.length === 0) continue;
    say(`removing ${left.length} ${kind}${left.length === 1 ? "" : "s"} of stack ${stack}`);
    const force = kind === "container" ? ["--force", "--volumes"] : [];
    await mustDocker("local", [kind, "rm", ...force, ...left], 300);
  }
}

async function destroy(stack: Stack, args: readonly string[]): Promise<void> {
  mkdirSync(sshFolder(stack.name), { recursive: true, mode: 0o700 });
  writeFileSync(goingDownFile(stack.name), "");
  try {
    await runPulumi("destroy", stack, ["--yes", "--skip-preview", ...args]);
  } finally {
    rmSync(goingDownFile(stack.name), { force: true });
  }
}

async function takeLabDown(
  stack: Stack,
  state: StackState | undefined,
  args: readonly string[],
): Promise<void> {
  if (state && deployedCount(state) > 0) {
    try {
      await breakStaleLocks(stack);
      await settle(stack, state);
      await destroy(stack, args);
    } catch (error) {
      if (error instanceof Interrupted) {
        throw new Error(`holdfast: interrupted; go on with: make down STACK=${stack.reference}`);
      }
      console.error(error instanceof Error ? error.message : error);
      say("the lab's objects are removed without Pulumi instead");
    }
  }
  await removeLabelled(stack.name);
  await removeSshFiles(stack.name);
  await dropStack(stack);
  say(`stack ${stack.name} is down; nothing of it is left`);
}

async function confirmed(stack: Stack): Promise<boolean> {
  const given = variable("CONFIRM");
  if (given !== undefined) return given === stack.name;
  const question = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: false,
  });
  try {
    console.log(
      `stack ${stack.name} runs on machines of an inventory; its nodes will be removed from them.`,
    );
    const answer = await Promise.race([
      question.question("type the stack's name to go on: "),
      new Promise<string>((resolve) => question.once("close", () => resolve(""))),
    ]);
    return answer.trim() === stack.name;
  } finally {
    question.close();
  }
}

async function virtualAddresses(stack: Stack): Promise<string[]> {
  const outputs = await readOutputs(stack);
  return [outputs["vip"], outputs["internalVip"]].filter((value) => typeof value === "string");
}

/** Removes the rules and addresses that nodes and firewall left on a machine that is not ours. */
async function leaveMachine(machine: SshTarget, addresses: readonly string[]): Promise<void> {
  const script = [
    firewallRemoveScript(),
    "nft delete table ip holdfast_second_chance 2>/dev/null || true",
    `rm -rf ${metricsFolder}`,
    ...addresses.map((address) => `ip address del ${address}/32 dev lo 2>/dev/null || true`),
    "",
  ].join("\n");
  const { exitCode, stderr } = await ssh(machine, "bash -s", { input: script });
  if (exitCode !== 0) {
    console.error(`machine ${machine.machine}: its firewall is still there: ${stderr.trim()}`);
  }
}

async function takeInventoryDown(
  stack: Stack,
  state: StackState | undefined,
  args: readonly string[],
): Promise<void> {
  if (!state || deployedCount(state) === 0) {
    say(`stack ${stack.name} is not deployed`);
  } else {
    if (!(await confirmed(stack))) {
      throw new Error(
        `the name was not ${stack.name}: nothing was changed (CONFIRM=${stack.name} answers beforehand)`,
      );
    }
    await breakStaleLocks(stack);
    await settle(stack, state);
    const machines = deployedMachines(state, stack.name);
    const addresses = await virtualAddresses(stack);
    await destroy(stack, args);
    await Promise.all([...machines.values()].map((machine) => leaveMachine(machine, addresses)));
    say(`stack ${stack.name} is down; data volumes stay on its machines`);
  }
  await removeSshFiles(stack.name);
}

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  const args = words(variable("ARGS") ?? "");
  let state: StackState | undefined;
  let damage: Error | undefined;
  try {
    state = await readState(stack);
  } catch (error) {
    damage = error instanceof Error ? error : new Error(String(error));
  }
  const source = (state && sourceOf(state)) ?? configuredSource(settingsOf(stack.configFile));
  const key = state && deployedCount(state) > 0 ? await backupKeyOf(stack.reference) : undefined;
  if (key) keepBackupKey(key, Date.now()).forEach(say);
  if (source === "inventory") {
    if (damage) throw damage;
    await takeInventoryDown(stack, state, args);
  } else {
    if (damage) console.error(damage.message);
    await takeLabDown(stack, state, args);
  }
}

runIfProgram(import.meta.url, main);
