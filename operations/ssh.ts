import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { execa, ExecaError } from "execa";

/** How the deployer logs in to a machine. */
export interface SshTarget {
  /** Name of the Pulumi stack; keys and sockets are kept per stack. */
  readonly stack: string;
  /** Key of the machine. */
  readonly machine: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** What a command printed on a machine. */
export interface SshResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

// The paths are recorded in the stack's state, so they must be the same for every operator: ssh
// itself expands the tilde.
const folder = (stack: string) => `~/.local/state/holdfast/ssh/${stack}`;
const expand = (file: string) => file.replace(/^~/, os.userInfo().homedir);

/** Folder on this computer with the SSH files of a stack. */
export function sshFolder(stack: string): string {
  return expand(folder(stack));
}

/** Options for `ssh`: the pinned host key is the only one accepted, connections are shared. */
export function sshOptions({ stack, machine }: SshTarget): string[] {
  const at = folder(stack);
  return [
    `IdentityFile=${at}/id`,
    "IdentitiesOnly=yes",
    `UserKnownHostsFile=${at}/known_hosts.${machine}`,
    "GlobalKnownHostsFile=/dev/null",
    `HostKeyAlias=${machine}`,
    "StrictHostKeyChecking=yes",
    "BatchMode=yes",
    "ConnectTimeout=3",
    "ServerAliveInterval=2",
    "ServerAliveCountMax=3",
    "ControlMaster=auto",
    "ControlPersist=300",
    `ControlPath=${at}/${machine}.sock`,
    "LogLevel=ERROR",
  ].flatMap((option) => ["-o", option]);
}

/** Stores the stack's private key and the machine's host key for `ssh`, readable by this user alone. */
export function storeKeys(target: SshTarget, privateKey: string, hostKey: string): void {
  const at = sshFolder(target.stack);
  mkdirSync(at, { recursive: true, mode: 0o700 });
  const key = privateKey.endsWith("\n") ? privateKey : `${privateKey}\n`;
  writeIfChanged(path.join(at, "id"), key);
  writeIfChanged(
    path.join(at, `known_hosts.${target.machine}`),
    `${target.machine} ${hostKey.trim()}\n`,
  );
}

function writeIfChanged(file: string, content: string): void {
  try {
    if (readFileSync(file, "utf8") === content) return;
  } catch {
    // It does not exist yet.
  }
  writeFileSync(file, content, { mode: 0o600 });
}

/**
 * Runs a shell command on the machine. `input` goes to its standard input. Resolves with the exit
 * code whatever it is; 255 means that the machine could not be reached.
 */
export async function ssh(
  target: SshTarget,
  command: string,
  { timeoutSeconds = 30, input = "" }: { timeoutSeconds?: number; input?: string } = {},
): Promise<SshResult> {
  try {
    const { stdout, stderr } = await execa(
      "ssh",
      [...sshOptions(target), "-p", String(target.port), "-l", target.user, target.host, command],
      { timeout: timeoutSeconds * 1000, input },
    );
    return { exitCode: 0, stdout, stderr };
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === "ENOENT") throw new Error("ssh is not installed; run `make doctor`");
    return {
      exitCode: error.timedOut ? 255 : (error.exitCode ?? 255),
      stdout: textOf(error.stdout),
      stderr: error.timedOut ? `no answer within ${timeoutSeconds} s` : textOf(error.stderr),
    };
  }
}

function textOf(output: unknown): string {
  return typeof output === "string" ? output : "";
}

/** Ends the shared connection to a machine; the next command opens a new one. */
export async function disconnect(target: SshTarget): Promise<void> {
  await execa("ssh", [...sshOptions(target), "-O", "exit", target.host], {
    reject: false,
    // What holds the connection may be as stuck as the connection itself.
    timeout: 3000,
  });
}

/** Removes the SSH files of one machine, so that it is no longer taken for a deployed one. */
export async function forget(target: SshTarget): Promise<void> {
  await disconnect(target);
  rmSync(path.join(sshFolder(target.stack), `known_hosts.${target.machine}`), { force: true });
}
