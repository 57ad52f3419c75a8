import { accessSync, constants } from "node:fs";
import path from "node:path";
import { execa, type Options } from "execa";

/** First executable file of that name in the folders of PATH, `without` left out. */
export function findOnPath(name: string, without: string[] = []): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(":")) {
    if (folder === "" || without.includes(path.resolve(folder))) {
      continue;
    }
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

/**
 * Runs a program and returns its stdout. Fails with the last lines of what it printed, and with
 * `hint`, which says what to do.
 */
export async function run(
  program: string,
  args: string[],
  options: Options & { hint?: string } = {},
): Promise<string> {
  const { hint, ...rest } = options;
  const result = await execa(program, args, { stdin: "ignore", ...rest, all: true, reject: false });
  if (!result.failed) {
    return String(result.stdout ?? "").trim();
  }
  const printed = String(result.all ?? "")
    .trimEnd()
    .split("\n")
    .slice(-15)
    .join("\n");
  const why = result.timedOut
    ? "took too long"
    : result.exitCode === undefined
      ? (result.originalMessage ?? "did not run")
      : `exited with code ${result.exitCode}`;
  throw new Error(
    [`${[program, ...args].join(" ")}: ${why}`, ...(printed ? [printed] : [])].join(":\n") +
      (hint === undefined ? "" : `\n${hint}`),
  );
}

/** As `run`, but a failure is undefined: for questions where "no" is an answer. */
export async function ask(
  program: string,
  args: string[],
  options: Options = {},
): Promise<string | undefined> {
  const result = await execa(program, args, {
    stdin: "ignore",
    timeout: 10_000,
    ...options,
    reject: false,
  });
  return result.failed ? undefined : String(result.stdout ?? "").trim();
}
