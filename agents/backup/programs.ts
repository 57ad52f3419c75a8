import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { createInterface } from "node:readline";
import { log } from "../io";

/** Thrown where a program failed: its exit code, and the last lines that it said. */
export class ProgramError extends Error {
  constructor(
    program: string,
    readonly exitCode: number | null,
    readonly said: readonly string[],
  ) {
    const end = exitCode === null ? "was ended" : `ended with ${exitCode}`;
    super(`${program} ${end}: ${said.slice(-3).join(" | ") || "it said nothing"}`);
  }
}

export interface RunningProgram {
  readonly process: ChildProcess;
  /** Resolves when it has ended with exit code 0, else rejects with a ProgramError. */
  readonly ended: Promise<void>;
}

/** What MySQL's programs say at every run. */
const noise =
  /Using a password on the command line|A partial dump from a server that has GTIDs|mysqldump: \[Warning\]|option .* unknown/i;

/** Milliseconds that a program has to end in order. */
const graceMs = 10_000;

/** Most lines of a program's complaints that are kept. */
const maxLines = 20;

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: "ignore" | "pipe";
  readonly stdout?: "ignore" | "pipe";
  /** Complaints are kept for the error alone. */
  readonly quiet?: boolean;
}

/** Starts a program whose complaints become part of the node's log. */
export function start(
  program: string,
  args: readonly string[],
  { environment = {}, stdin = "ignore", stdout = "ignore", quiet = false }: ProgramOptions = {},
): RunningProgram {
  const stdio: StdioOptions = [stdin, stdout, "pipe"];
  const child = spawn(program, [...args], { stdio, env: { ...process.env, ...environment } });
  const said: string[] = [];
  if (child.stderr) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.trim() === "" || noise.test(line)) return;
      said.push(line);
      if (said.length > maxLines) said.shift();
      if (!quiet) log(line, { program });
    });
  }
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`${program}: ${error.message}`)));
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new ProgramError(program, code, said));
    });
  });
  // Whoever waits for it hears of it; nobody has to.
  ended.catch(() => undefined);
  return { process: child, ended };
}

/**
 * Ends programs, and returns when they have ended. Killed: restic heeds no other signal while it waits
 * for input, or for somebody to take its output. What it locked is unlocked by `Repository.maintain`.
 */
export async function kill(programs: readonly RunningProgram[]): Promise<void> {
  for (const { process: child } of programs) {
    child.kill("SIGKILL");
    // Output that nobody takes would keep the process from counting as ended.
    child.stdout?.destroy();
  }
  await Promise.allSettled(programs.map(({ ended }) => ended));
}

/** Runs a program to its end, or until the limit, and returns what it printed. */
export async function output(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  limitMs?: number,
): Promise<string> {
  const { process: child, ended } = start(program, args, {
    environment,
    stdout: "pipe",
    quiet: true,
  });
  const parts: Buffer[] = [];
  child.stdout?.on("data", (part: Buffer) => parts.push(part));
  const timers =
    limitMs === undefined
      ? []
      : [
          setTimeout(() => child.kill(), limitMs),
          // Where it waits for a folder of a server that is away it hears of nothing else.
          setTimeout(() => void kill([{ process: child, ended }]), limitMs + graceMs),
        ];
  await ended.finally(() => timers.forEach(clearTimeout));
  return Buffer.concat(parts).toString("utf8");
}
