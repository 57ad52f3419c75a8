import { existsSync, readFileSync } from "node:fs";
import { execa } from "execa";
import { parsePoint, type RestoreRequest } from "../agents/backup/restoreRequest";
import { backupKeyOf, keptBackupKey, parseBackupKey, type BackupKey } from "./backupKeys";
import { runIfProgram, say, variable } from "./command";
import { requireState, stackFromEnvironment } from "./pulumi";
import { sshOptions, type SshTarget } from "./ssh";
import { gateSpecs, machineOf } from "./stackState";

/** Backup nodes among the deployed ones, by the tier's key. */
const isBackup = (node: string) => node.startsWith("backup-");

const parentOf = (place: string) => place.slice(0, place.lastIndexOf("/"));

/**
 * How the node of the stack `target` reaches the backups of `source`. Throws where it cannot: a
 * lab's own store and a folder are reached through the target's own.
 */
export function storeFor(source: BackupKey, target: BackupKey): RestoreRequest["store"] {
  const { name, repository, password, environment } = source;
  if (source.lab) {
    if (!target.lab) {
      throw new Error(
        `FROM: the backups of ${name} are in a lab's own store, which only a lab reaches`,
      );
    }
    const place = `${parentOf(target.repository)}/${name}`;
    return { repository: place, password, environment: target.environment };
  }
  if (repository.startsWith("/") && parentOf(repository) !== parentOf(target.repository)) {
    throw new Error(
      `FROM: the backups of ${name} are in folder ${repository}; mount ${parentOf(repository)} on the backup machine of this stack and set holdfast:backup.store to it`,
    );
  }
  return { repository, password, environment };
}

/** The key of the backups that FROM names: a file, a stack that is up, or one that was taken down. */
async function sourceKey(from: string): Promise<BackupKey> {
  if (from.includes("/") || from.endsWith(".json")) {
    if (existsSync(from)) return parseBackupKey(readFileSync(from, "utf8"), from);
  }
  const key = (await backupKeyOf(from)) ?? keptBackupKey(from);
  if (key) return key;
  throw new Error(
    `FROM: found ${from}, allowed: a stack with a backup, one that was taken down on this computer, or a file with what this printed: pulumi stack output backup --show-secrets --json`,
  );
}

/** Runs the restore on the node's machine; its words are shown as they come. */
async function runRestore(machine: SshTarget, node: string, request: RestoreRequest) {
  const { host, port, user } = machine;
  const command = `docker exec -i ${node} backup restore`;
  const child = execa(
    "ssh",
    [...sshOptions(machine), "-p", String(port), "-l", user, host, command],
    { reject: false, stdin: "pipe", buffer: { stdout: false } },
  );
  // It stays open: where this program ends, so does the restore.
  child.stdin.write(`${JSON.stringify(request)}\n`);
  for await (const line of child) say(line);
  const { exitCode, stderr } = await child;
  if (exitCode === 0) return;
  const lost = "the connection to its machine was lost, and with it the restore";
  throw new Error(`${node}: ${exitCode === 255 ? lost : stderr.trim()}`);
}

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  const from = variable("FROM");
  if (!from) throw new Error("FROM: found nothing, allowed: the stack whose backup is wanted");
  const at = variable("AT") ?? "nothing";
  parsePoint(at);
  const spec = gateSpecs(await requireState(stack)).find(({ node }) => isBackup(node));
  const own = await backupKeyOf(stack.reference);
  if (!spec || !own) {
    throw new Error(
      `STACK: ${stack.reference} has no backup node to restore with; set holdfast:backup.count to 1 and run: make up STACK=${stack.reference}`,
    );
  }
  const source = await sourceKey(from);
  say(`restoring ${source.name} at ${at} into stack ${stack.reference}`);
  await runRestore(machineOf(spec), spec.node, {
    store: storeFor(source, own),
    at,
    force: variable("FORCE") === "1",
  });
  say("the data is back on all members; what is left to do:");
  console.log(
    [
      "  - compare rows and checksums above with what you expect",
      "  - where the backup is of an older version of the application, bring its schema up to date:",
      `      make up STACK=${stack.reference} ARGS="--replace **::app-migration-container"`,
      "  - let the application in again",
    ].join("\n"),
  );
}

runIfProgram(import.meta.url, main);
