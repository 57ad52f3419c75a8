import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { disconnect, ssh, sshFolder, type SshTarget } from "./ssh";

/** True where this computer has deployed to the machine before. */
export function deployedBefore({ stack, machine }: SshTarget): boolean {
  return existsSync(path.join(sshFolder(stack), `known_hosts.${machine}`));
}

/**
 * Why the machine's engine does not answer; undefined where it does. That a machine is gone, ssh
 * itself finds sooner; the rest of the time is for a computer so busy that ssh hardly runs here.
 */
export async function engineProblem(target: SshTarget): Promise<string | undefined> {
  const { exitCode, stderr } = await ssh(
    target,
    "timeout 5 docker version -f '{{.Server.Version}}'",
    { timeoutSeconds: 20 },
  );
  if (exitCode === 0) return undefined;
  const reason = stderr.trim().split("\n").pop() ?? "";
  if (exitCode !== 255)
    return `its Docker engine does not answer: ${reason || `exit code ${exitCode}`}`;
  // A shared connection to a machine that is gone would fail every later attempt.
  await disconnect(target);
  return `it does not answer over SSH at ${target.user}@${target.host}:${target.port}: ${reason}`;
}

/**
 * Waits until the machine's engine answers. Throws after `patienceSeconds`, naming the remedy, and
 * not before a second attempt: a first one may have waited for a busy program and not for the engine.
 */
export async function awaitEngine(target: SshTarget, patienceSeconds: number): Promise<void> {
  const deadline = Date.now() + patienceSeconds * 1000;
  for (let attempt = 1; ; attempt++) {
    const problem = await engineProblem(target);
    if (!problem) return;
    if (Date.now() > deadline && attempt > 1) {
      throw new Error(
        `machine ${target.machine}: ${problem}\nif it is lost, bring it and its nodes back with: make replace-machine MACHINE=${target.machine} STACK=${target.stack}`,
      );
    }
    await sleep(300);
  }
}
