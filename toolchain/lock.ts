import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { say } from "./progress";

const unsignedMs = 10_000;

/** Locks that this process holds. */
const taken = new Set<string>();

/**
 * Runs `run` while no other process does so under the same lock file; waits for it if need be. Two
 * builds at once would take twice as long each, and do the same.
 */
export async function alone<T>(lockFile: string, run: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(lockFile), { recursive: true });
  for (let waited = false; !take(lockFile); waited = true) {
    const holder = holderOf(lockFile);
    if (holder === undefined ? isOld(lockFile) : !isAlive(holder, lockFile)) {
      rmSync(lockFile, { force: true });
      continue;
    }
    if (!waited) {
      say(`waiting for another run (process ${holder ?? "?"}); its result serves both`);
    }
    await pause(500);
  }
  // A signal ends the process without the `finally`; the next run finds the holder dead.
  try {
    return await run();
  } finally {
    taken.delete(lockFile);
    rmSync(lockFile, { force: true });
  }
}

function take(lockFile: string): boolean {
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { flag: "wx" });
    taken.add(lockFile);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      return false;
    }
    throw error;
  }
}

function holderOf(lockFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(lockFile, "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** One that nobody has signed for so long never will be: a full disk, say. */
function isOld(lockFile: string): boolean {
  try {
    return Date.now() - statSync(lockFile).mtimeMs > unsignedMs;
  } catch {
    return false;
  }
}

function isAlive(pid: number, lockFile: string): boolean {
  // The number of a process that is gone may be this one's by now.
  if (pid === process.pid) return taken.has(lockFile);
  try {
    process.kill(pid, 0);
    return isNode(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The number may belong to another program by now; where that cannot be seen it does not. */
function isNode(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("node");
  } catch {
    return true;
  }
}
