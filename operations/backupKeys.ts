import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";

const key = z.object({
  /** Name of the stack's folder in the store. */
  name: z.string(),
  /** True where the store is the lab's own: a folder of this computer. */
  lab: z.boolean(),
  /** restic's name of the place; below it are the repositories `full` and `binlogs`. */
  repository: z.string(),
  /** Key of the encryption. Without it the backups are lost. */
  password: z.string(),
  /** Environment of restic that opens the store. */
  environment: z.record(z.string(), z.string()),
});

/** What it takes to restore a stack's backups without the stack: its output `backup`. */
export type BackupKey = z.output<typeof key>;

/** Folder of this computer with the backups of its labs. */
export const backupsFolder = "~/.local/state/holdfast/backups";

const expand = (folder: string) => folder.replace(/^~/, os.userInfo().homedir);

/** Folder of this computer with the backups of one of its labs. */
export const labFolder = (name: string) => path.join(expand(backupsFolder), name);
/** Folder of this computer with the keys of stacks that are gone. */
export const keysFolder = expand("~/.local/state/holdfast/backup-keys");

/** The key in a text, such as a file that an operator has kept. Throws where it is none. */
export function parseBackupKey(text: string, where: string): BackupKey {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = key.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(
    `${where}: found something else than a key of backups; it is what this prints: pulumi stack output backup --show-secrets --json`,
  );
}

/** The key of a stack that is deployed; undefined where there is no such stack, or no backup of it. */
export async function backupKeyOf(reference: string): Promise<BackupKey | undefined> {
  const { exitCode, stdout } = await execa(
    "pulumi",
    [
      "stack",
      "output",
      "backup",
      "--show-secrets",
      "--json",
      "--non-interactive",
      "--stack",
      reference,
    ],
    { reject: false },
  );
  return exitCode === 0 && stdout.trim() !== "" && stdout.trim() !== "null"
    ? parseBackupKey(stdout, `output backup of stack ${reference}`)
    : undefined;
}

/** The newest of these files that is a key of that stack, or has exactly that name. */
export function newestKeyFile(files: readonly string[], from: string): string | undefined {
  const escaped = from.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const ofStack = new RegExp(`^\\d+-${escaped}-[0-9a-f]{8}\\.json$`);
  const exact = new RegExp(`^\\d+-${escaped}\\.json$`);
  return [...files]
    .filter((file) => ofStack.test(file) || exact.test(file))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .at(-1);
}

/** The key that a stack's `down` has left here; undefined where there is none. */
export function keptBackupKey(from: string): BackupKey | undefined {
  const file = existsSync(keysFolder) ? newestKeyFile(readdirSync(keysFolder), from) : undefined;
  if (file === undefined) return undefined;
  return parseBackupKey(readFileSync(path.join(keysFolder, file), "utf8"), file);
}

/**
 * Keeps a stack's key on this computer before the stack is gone, readable by this user alone.
 * Returns what to tell the operator.
 */
export function keepBackupKey(kept: BackupKey, now: number): string[] {
  mkdirSync(keysFolder, { recursive: true, mode: 0o700 });
  const file = path.join(keysFolder, `${now}-${kept.name}.json`);
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  const place = kept.lab ? labFolder(kept.name) : kept.repository;
  return [
    `its backups stay: ${place}`,
    `their key is in ${file}; to put them into another stack: make restore STACK=... FROM=${kept.name} AT=latest`,
  ];
}
