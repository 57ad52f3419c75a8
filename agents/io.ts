import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** A line of the node's log, JSON like all others. */
export function log(message: string, details: Readonly<Record<string, unknown>> = {}): void {
  const line = { time: new Date().toISOString(), program: "agent", message, ...details };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** What a program prints becomes part of the node's log, each line as `entry` has it, or left out. */
export function relayLines(
  { stdout, stderr }: { readonly stdout: Readable; readonly stderr: Readable },
  entry: (line: string, now: Date) => Readonly<Record<string, unknown>> | undefined,
): void {
  for (const output of [stdout, stderr]) {
    createInterface({ input: output }).on("line", (text) => {
      const line = entry(text, new Date());
      if (line) process.stdout.write(`${JSON.stringify(line)}\n`);
    });
  }
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Replaces a file's content at once: readers see the old or the new, never a part. */
export function writeWhole(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

/** Content of a file, undefined where there is none. */
export function readWhole(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** What `promise` gives, or an error once `ms` have passed; `abort` is then called. */
export async function within<T>(ms: number, promise: Promise<T>, abort: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${ms} ms`));
      abort();
    }, ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
