import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline/promises";
import { execa } from "execa";
import { choice, runIfProgram, say, variable } from "./command";
import { leaveMarker } from "./deployMarkers";
import { mustDocker } from "./engine";
import { awaitInService, guard, type GateSpec } from "./gate";
import { requireState, stackFromEnvironment, type Stack } from "./pulumi";
import { awaitEngine } from "./reach";
import { disconnect, ssh, sshOptions, type SshTarget } from "./ssh";
import {
  containerOf,
  deployedMachines,
  machineOf,
  nodesOn,
  sourceOf,
  stopTimeoutOf,
  type StackState,
} from "./stackState";

/** What happens on the machine while its nodes are out of service. */
export type Work =
  | { readonly kind: "reboot" }
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "wait" };

/** Seconds that a machine may take to come back from a reboot. */
const rebootSeconds = { lab: 120, inventory: 900 } as const;

/** The work that the variables ask for. Throws where they contradict or nobody could press Enter. */
export function workFrom(
  reboot: string | undefined,
  command: string | undefined,
  interactive: boolean,
): Work {
  if (reboot !== undefined && reboot !== "1") {
    throw new Error(`REBOOT: found ${reboot}, allowed: 1, or leave it out`);
  }
  if (reboot && command) {
    throw new Error("found REBOOT and COMMAND, allowed: one of them");
  }
  if (reboot) return { kind: "reboot" };
  if (command) return { kind: "command", command };
  if (interactive) return { kind: "wait" };
  throw new Error(
    'there is no terminal to wait at: give REBOOT=1 or COMMAND="..." to say what is to be done',
  );
}

/** Nodes that are the only one of their tier and needed: stopping one stops the tier. */
export function onlyMembers(specs: readonly GateSpec[]): string[] {
  return specs
    .filter(({ members, required }) => members.length === 1 && required > 0)
    .map(({ node }) => node);
}

/** Stops a node's container, which leaves service by itself before it exits. */
export async function drain(state: StackState, spec: GateSpec): Promise<void> {
  const seconds = stopTimeoutOf(state, spec.node);
  say(`draining ${spec.node}`);
  await mustDocker(machineOf(spec), ["stop", "--time", String(seconds), spec.node], seconds + 30);
}

async function bootId(target: SshTarget): Promise<string | undefined> {
  const { exitCode, stdout } = await ssh(target, "cat /proc/sys/kernel/random/boot_id", {
    timeoutSeconds: 8,
  });
  return exitCode === 0 ? stdout.trim() : undefined;
}

async function rebootInventory(target: SshTarget): Promise<void> {
  const before = await bootId(target);
  if (!before) throw new Error(`machine ${target.machine} does not answer over SSH`);
  // The connection ends with the machine, so its exit code says nothing.
  await ssh(target, "systemctl reboot", { timeoutSeconds: 15 });
  const deadline = Date.now() + rebootSeconds.inventory * 1000;
  for (;;) {
    await sleep(2000);
    await disconnect(target);
    const now = await bootId(target);
    if (now && now !== before) return;
    if (Date.now() > deadline) {
      throw new Error(
        `machine ${target.machine} ${now ? "did not reboot" : "did not come back"} within ${rebootSeconds.inventory} s`,
      );
    }
  }
}

async function reboot(target: SshTarget, source: "lab" | "inventory"): Promise<void> {
  say(`rebooting ${target.machine}`);
  if (source === "inventory") await rebootInventory(target);
  else {
    await mustDocker(
      "local",
      ["restart", "--time", "90", `holdfast-${target.stack}-${target.machine}`],
      180,
    );
    await disconnect(target);
  }
  await awaitEngine(target, rebootSeconds[source]);
}

async function run(target: SshTarget, command: string): Promise<void> {
  say(`running on ${target.machine}: ${command}`);
  const { exitCode } = await execa(
    "ssh",
    [...sshOptions(target), "-p", String(target.port), "-l", target.user, target.host, command],
    { reject: false, stdio: "inherit" },
  );
  if (exitCode !== 0) {
    throw new Error(`the command on ${target.machine} ended with exit code ${exitCode ?? "none"}`);
  }
}

async function waitForEnter(target: SshTarget, signal: AbortSignal): Promise<void> {
  const options = sshOptions(target).join(" ");
  say(`${target.machine} is free for work; log in with:`);
  console.log(`  ssh ${options} -p ${target.port} ${target.user}@${target.host}`);
  // Not as a terminal: Ctrl-C would then be a key and no signal.
  const question = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: false,
  });
  try {
    await Promise.race([
      question.question("press Enter when it may serve again: ", { signal }),
      once(question, "close"),
    ]);
  } finally {
    question.close();
  }
}

async function doWork(
  work: Work,
  target: SshTarget,
  source: "lab" | "inventory",
  signal: AbortSignal,
): Promise<void> {
  if (work.kind === "reboot") await reboot(target, source);
  else if (work.kind === "command") await run(target, work.command);
  else await waitForEnter(target, signal);
}

/** Starts the nodes, where the engine has not done it, and waits until each is in service. */
async function bringBack(target: SshTarget, specs: readonly GateSpec[]): Promise<void> {
  await disconnect(target);
  await awaitEngine(target, 60);
  const problems: string[] = [];
  const note = (error: unknown) => problems.push(error instanceof Error ? error.message : "");
  // All of them before one is waited for: what one lacks keeps no other out of service.
  for (const { node } of specs) {
    say(`starting ${node}`);
    await mustDocker(target, ["start", node]).catch(note);
  }
  for (const spec of specs) {
    await awaitInService(spec).then(() => say(`${spec.node} is in service`), note);
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/**
 * Takes a machine's nodes out of service, lets the work be done, and brings them back. Whatever
 * fails after the first was stopped, the nodes are started again.
 */
async function maintain(
  stack: Stack,
  state: StackState,
  target: SshTarget,
  work: Work,
): Promise<void> {
  const specs = nodesOn(state, target.machine).filter(({ node }) => containerOf(state, node));
  const alone = onlyMembers(specs);
  if (alone.length > 0 && variable("FORCE") !== "1") {
    throw new Error(
      `${alone.join(", ")} stays: it is the only node of its tier, so the stack would be without it; FORCE=1 accepts that`,
    );
  }
  const stopping = new AbortController();
  const onSignal = () => {
    if (!stopping.signal.aborted) say("interrupted; the nodes are started again");
    stopping.abort(new Error("interrupted"));
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  const touched: GateSpec[] = [];
  const started = Math.floor(Date.now() / 1000);
  let failure: unknown;
  try {
    // Users before what they use, as in a removal.
    for (const spec of [...specs].reverse()) {
      stopping.signal.throwIfAborted();
      await guard(spec);
      if (touched.length === 0) await leaveMarker(state, { started });
      touched.unshift(spec);
      await drain(state, spec);
    }
    stopping.signal.throwIfAborted();
    await doWork(work, target, sourceOf(state) ?? "lab", stopping.signal);
  } catch (error) {
    failure = stopping.signal.aborted
      ? new Error(`holdfast: interrupted; the work on ${target.machine} may not be complete`)
      : error;
  }
  if (touched.length > 0) {
    try {
      await bringBack(target, touched);
    } catch (error) {
      const nodes = touched.map(({ node }) => `make repair NODE=${node} STACK=${stack.reference}`);
      throw new Error(
        [
          ...(failure instanceof Error ? [failure.message] : []),
          error instanceof Error ? error.message : String(error),
          `left to do once ${target.machine} answers: ${nodes.join(", ")}`,
        ].join("\n"),
      );
    }
  }
  if (touched.length > 0) {
    await leaveMarker(state, { started, finished: Math.floor(Date.now() / 1000) });
  }
  for (const signal of signals) process.off(signal, onSignal);
  if (failure instanceof Error) throw failure;
  say(`${target.machine} is back with ${specs.map(({ node }) => node).join(", ")}`);
}

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  const work = workFrom(
    variable("REBOOT"),
    variable("COMMAND"),
    process.stdin.isTTY && process.stdout.isTTY,
  );
  const state = await requireState(stack);
  const machines = deployedMachines(state, stack.name);
  const machine = choice("MACHINE", machines.keys());
  const target = machines.get(machine);
  if (target) await maintain(stack, state, target, work);
}

runIfProgram(import.meta.url, main);
