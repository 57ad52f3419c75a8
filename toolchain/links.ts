import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";

/**
 * Puts `file` at `target` as well: as a second name of the same file, or as a copy on another file
 * system. Programs that run from the old `target` are not disturbed. True if something changed.
 */
export function place(file: string, target: string): boolean {
  if (isSame(file, target)) {
    return false;
  }
  mkdirSync(path.dirname(target), { recursive: true });
  const draft = `${target}.draft-${process.pid}`;
  rmSync(draft, { force: true });
  try {
    linkSync(file, draft);
  } catch {
    copyFileSync(file, draft);
  }
  renameSync(draft, target);
  return true;
}

function isSame(file: string, target: string): boolean {
  const [a, b] = [file, target].map((name) => statSync(name, { throwIfNoEntry: false }));
  if (a === undefined || b === undefined) {
    return false;
  }
  return (
    (a.dev === b.dev && a.ino === b.ino) ||
    (a.dev !== b.dev && a.size === b.size && a.mtimeMs <= b.mtimeMs)
  );
}
