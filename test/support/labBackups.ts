import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { backupKeyOf, keysFolder, labFolder } from "../../operations/backupKeys";
import type { LiveStack } from "./liveStack";

/** Takes a stack down, and removes its backups and their key, which `make down` keeps. */
export async function downWithBackups(stack: LiveStack): Promise<void> {
  const key = await backupKeyOf(stack.name);
  const down = await stack.make("down");
  if (!down.ok) throw new Error(`make down failed:\n${down.output}`);
  if (!key?.lab) return;
  rmSync(labFolder(key.name), { recursive: true, force: true });
  for (const file of readdirSync(keysFolder)) {
    if (file.endsWith(`-${key.name}.json`)) rmSync(path.join(keysFolder, file));
  }
}
