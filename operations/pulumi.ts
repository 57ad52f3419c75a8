import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../model/rendering";
import { parseSettings, type Settings } from "../model/settings";
import { tiers } from "../tiers";
import { say, variable } from "./command";
import { failureReasons, remedies } from "./failure";
import { yieldProcessor, yieldSession } from "./priority";
import { configuredSource, settingsOf } from "./settingsFile";
import { allStale, type Lock, type StackState } from "./stackState";

/** A stack as named on the command line. */
export interface Stack {
  /** Name without organisation: `dev`. Docker objects and SSH files carry it. */
  readonly name: string;
  /** Name as Pulumi takes it, perhaps with an organisation: `acme/holdfast/production`. */
  readonly reference: string;
  /** File with the stack's settings. */
  readonly configFile: string;
}

/** The stack of variable `STACK`; its settings are in HOLDFAST_CONFIG_FILE or beside Pulumi.yaml. */
export function stackFromEnvironment(): Stack {
  const reference = variable("STACK") ?? "dev";
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new Error(
      `STACK: found ${JSON.stringify(reference)}, allowed: a stack's name such as dev, of letters, digits, hyphens, dots and underscores`,
    );
  }
  const configFile =
    variable("HOLDFAST_CONFIG_FILE") ?? path.join(projectRoot, `Pulumi.${name}.yaml`);
  return { name, reference, configFile: path.resolve(configFile) };
}

/** Throws where the stack has no settings file, saying which stacks there are. */
export function requireConfigFile({ name, configFile }: Stack): void {
  if (existsSync(configFile)) return;
  const known = readdirSync(projectRoot)
    .flatMap((file) => /^Pulumi\.(.+)\.ya?ml$/.exec(file)?.[1] ?? [])
    .sort();
  throw new Error(
    [
      `STACK: found ${name}, but there is no ${path.relative(projectRoot, configFile)}; the stacks are: ${known.join(", ") || "none"}`,
      `for a new one copy a file, change holdfast:machines.network in it, and run: make up STACK=${name}`,
    ].join("\n"),
  );
}

async function pulumi(args: readonly string[], input = "") {
  const result = await execa("pulumi", [...args, "--non-interactive"], {
    cwd: projectRoot,
    reject: false,
    input,
  });
  if (result.code === "ENOENT") {
    throw new Error('pulumi is not on PATH; run: eval "$(make -s env)"');
  }
  return result;
}

async function mustPulumi(args: readonly string[], input = ""): Promise<string> {
  const { exitCode, stdout, stderr } = await pulumi(args, input);
  if (exitCode === 0) return stdout;
  throw new Error(
    `pulumi ${args.slice(0, 2).join(" ")} failed: ${stderr.trim().replace(/^error: /, "") || `exit code ${exitCode}`}`,
  );
}

/** The stack's state; undefined where there is no such stack. Throws where it cannot be read. */
export async function readState({ reference }: Stack): Promise<StackState | undefined> {
  const { exitCode, stdout, stderr } = await pulumi(["stack", "export", "--stack", reference]);
  if (exitCode === 0) return JSON.parse(stdout) as StackState;
  if (/no stack named/.test(stderr)) return undefined;
  throw new Error(
    `the state of stack ${reference} cannot be read: ${stderr.trim().replace(/^error: /, "")}`,
  );
}

/** The stack's state. Throws where the stack does not exist. */
export async function requireState(stack: Stack): Promise<StackState> {
  const state = await readState(stack);
  if (state) return state;
  throw new Error(
    `STACK: found ${stack.reference}, which is not deployed; bring it up first with: make up STACK=${stack.reference}`,
  );
}

/** Replaces the stack's state. */
export async function writeState({ reference }: Stack, state: StackState): Promise<void> {
  await mustPulumi(["stack", "import", "--stack", reference], JSON.stringify(state));
}

/** Makes the stack, with no resources yet. */
export async function initStack({ reference, name, configFile }: Stack): Promise<void> {
  const beside = path.join(projectRoot, `Pulumi.${name}.yaml`);
  const stray = path.resolve(beside) !== configFile && !existsSync(beside);
  await mustPulumi(["stack", "init", reference, "--no-select"]);
  // It takes no settings file as argument and writes one here.
  if (stray) rmSync(beside, { force: true });
}

/** Makes the stack the one that plain `pulumi` uses here. */
export async function selectStack({ reference }: Stack): Promise<void> {
  await mustPulumi(["stack", "select", reference]);
}

/** Drops the stack and its state, also a damaged one; its settings file stays. */
export async function dropStack(stack: Stack): Promise<void> {
  const { reference, name } = stack;
  const { exitCode, stderr } = await pulumi([
    "stack",
    "rm",
    reference,
    "--force",
    "--yes",
    "--preserve-config",
  ]);
  if (exitCode === 0 || /no stack named/.test(stderr)) return;
  const backend = backendFolder();
  const folder = backend && path.join(backend, "stacks", "holdfast");
  const files = folder && existsSync(folder) ? readdirSync(folder) : [];
  const own = files.filter((file) => file.startsWith(`${name}.json`));
  if (!folder || own.length === 0) {
    throw new Error(`the state of stack ${reference} cannot be removed: ${stderr.trim()}`);
  }
  // Pulumi reads a state before it removes it; this one cannot be read.
  for (const file of own) rmSync(path.join(folder, file), { force: true });
}

/** The stack's outputs, secrets masked. */
export async function readOutputs({ reference }: Stack): Promise<Record<string, unknown>> {
  const stdout = await mustPulumi(["stack", "output", "--json", "--stack", reference]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The stack's settings with their secrets. Throws a SettingsError where they are wrong. */
export async function readSettings(stack: Stack): Promise<Settings<typeof tiers>> {
  const stdout = await mustPulumi([
    "config",
    "--json",
    "--show-secrets",
    "--stack",
    stack.reference,
    "--config-file",
    stack.configFile,
  ]);
  const entries = JSON.parse(stdout) as Record<string, { value?: string; objectValue?: unknown }>;
  const prefix = "holdfast:";
  return parseSettings(
    tiers,
    Object.fromEntries(
      Object.entries(entries)
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, { value, objectValue }]) => [key.slice(prefix.length), objectValue ?? value]),
    ),
  );
}

/** Arguments that have a production stack judged by the policy pack; none for others. */
export function policyArguments({ configFile }: Stack): string[] {
  const { environment } = (settingsOf(configFile)["stack"] ?? {}) as { environment?: unknown };
  return environment === "production" ? ["--policy-pack", path.join(projectRoot, "policy")] : [];
}

/** Resources of every stack of this project, by stack, as far as the backend answers. */
export async function resourceCounts(): Promise<ReadonlyMap<string, number>> {
  const stdout = await mustPulumi(["stack", "ls", "--json"]);
  const stacks = JSON.parse(stdout) as { name: string; resourceCount?: number }[];
  return new Map(stacks.map(({ name, resourceCount }) => [name, resourceCount ?? 0]));
}

/** Thrown when the operator pressed Ctrl-C and Pulumi stopped in an orderly way. */
export class Interrupted extends Error {}

const eventsFile = ({ name }: Stack, command: string) =>
  path.join(projectRoot, ".build", "events", `${name}-${command}.json`);

/** The engine's events of the last run of that command: one JSON object a line; empty without any. */
export function engineEvents(stack: Stack, command: "up" | "preview" | "destroy"): string {
  const file = eventsFile(stack, command);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** An event that may be kept: whole, and no debug message, which shows secrets in plain text. */
function mayBeKept(line: string): boolean {
  try {
    const { diagnosticEvent } = JSON.parse(line) as { diagnosticEvent?: { severity?: string } };
    return diagnosticEvent?.severity !== "debug";
  } catch {
    return false;
  }
}

/** Those of the engine's events that may be kept. */
export function withoutDebug(events: string): string {
  return events
    .split("\n")
    .filter(mayBeKept)
    .map((line) => `${line}\n`)
    .join("");
}

/** Makes an empty event log that nobody else may read while the engine writes it. */
export function beginEvents(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  rmSync(file, { force: true });
  writeFileSync(file, "", { mode: 0o600 });
}

/** Leaves of an event log what may be kept. */
export function endEvents(file: string): void {
  if (existsSync(file)) writeFileSync(file, withoutDebug(readFileSync(file, "utf8")));
}

/** Signals pass to Pulumi at most once in this time: a terminal and make may both send one. */
const signalPauseMs = 1000;

/**
 * Runs `pulumi up`, `preview` or `destroy` with its output streaming. Ctrl-C is passed on once,
 * so that Pulumi finishes what is under way. Throws with the reasons where it fails.
 */
export async function runPulumi(
  command: "up" | "preview" | "destroy",
  stack: Stack,
  args: readonly string[],
): Promise<void> {
  const events = eventsFile(stack, command);
  beginEvents(events);

  // The lab's machines are on this computer, and serve while it works: they come first.
  const shared = configuredSource(settingsOf(stack.configFile)) === "lab";
  if (shared) yieldProcessor();
  const child = execa(
    "pulumi",
    [
      command,
      "--stack",
      stack.reference,
      ...(existsSync(stack.configFile) ? ["--config-file", stack.configFile] : []),
      "--event-log",
      events,
      ...args,
    ],
    {
      cwd: projectRoot,
      reject: false,
      stdio: "inherit",
      // In a process group of its own, or a terminal's Ctrl-C would reach it twice.
      detached: true,
      cleanup: false,
      env: { PULUMI_DEBUG_COMMANDS: "true", HOLDFAST_CONFIG_FILE: stack.configFile },
    },
  );
  if (shared && child.pid !== undefined) yieldSession(child.pid);
  let signalled = 0;
  const passOn = () => {
    if (Date.now() - signalled < signalPauseMs) return;
    if (!signalled) say("stopping; Pulumi finishes what is under way");
    signalled = Date.now();
    child.kill("SIGINT");
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, passOn);
  const result = await child;
  endEvents(events);
  for (const signal of signals) process.off(signal, passOn);

  if (result.code === "ENOENT") {
    throw new Error('pulumi is not on PATH; run: eval "$(make -s env)"');
  }
  if (result.exitCode === 0) return;
  const reasons = failureReasons(engineEvents(stack, command));
  if (signalled) throw new Interrupted(`pulumi ${command} was interrupted`);
  throw new Error(
    [
      `holdfast: pulumi ${command} of stack ${stack.name} failed`,
      ...(result.signal ? [`it was ended by ${result.signal}`] : reasons),
      ...remedies(reasons, stack.name, process.platform),
    ].join("\n"),
  );
}

function backendUrl(): string | undefined {
  const set = variable("PULUMI_BACKEND_URL");
  if (set) return set;
  const home = variable("PULUMI_HOME") ?? path.join(os.homedir(), ".pulumi");
  try {
    const credentials = JSON.parse(readFileSync(path.join(home, "credentials.json"), "utf8")) as {
      current?: string;
    };
    return credentials.current;
  } catch {
    return undefined;
  }
}

/** Folder of the backend's own files; undefined where it is not a folder of this computer. */
function backendFolder(): string | undefined {
  const url = backendUrl();
  if (!url?.startsWith("file://")) return undefined;
  const root = url.slice("file://".length).replace(/\?.*$/, "").replace(/^~/, os.homedir());
  return path.join(root || os.homedir(), ".pulumi");
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // The number may belong to another program by now.
    return /pulumi/.test(readFileSync(`/proc/${pid}/comm`, "utf8"));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Breaks the locks of Pulumi processes of this computer that are dead; others are left alone. */
export async function breakStaleLocks(stack: Stack): Promise<void> {
  const backend = backendFolder();
  const folder = backend && path.join(backend, "locks", "organization", "holdfast", stack.name);
  if (!folder || !existsSync(folder)) return;
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  const locks = files.map(
    (file) => JSON.parse(readFileSync(path.join(folder, file), "utf8")) as Lock,
  );
  if (locks.length === 0 || !allStale(locks, os.hostname(), alive)) return;
  say(`breaking the lock of an update that died (process ${locks[0]?.pid})`);
  await mustPulumi(["cancel", "--yes", "--stack", stack.reference]);
}
