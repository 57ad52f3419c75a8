import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { say } from "./progress";

/**
 * Runs `run` while no other process does so under the same lock file; waits for it if need be. Two
 * builds at once would take twice as long each, and do the same.
 */
export async function alone<T>(lockFile: string, run: () => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(lockFile), { recursive: true });
  for (let waited = false; !take(lockFile); waited = true) {
    const holder = holderOf(lockFile);
    if (holder !== undefined && !isAlive(holder)) {
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
    rmSync(lockFile, { force: true });
  }
}

function take(lockFile: string): boolean {
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { flag: "wx" });
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
