import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** Runs `main` if that module is the program; an error is printed and ends it with exit code 1. */
export function runIfProgram(moduleUrl: string, main: () => Promise<void>): void {
  const program = process.argv[1];
  // A checkout may be reached through a symbolic link; modules are named by their real path.
  if (!program || moduleUrl !== pathToFileURL(realpathSync(program)).href) return;
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}

/** A variable given to make (`MACHINE=vm-web-a`), undefined where it is missing or empty. */
export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value ? value : undefined;
}

/** A variable given to make that must be one of these. Throws naming them. */
export function choice(name: string, allowed: Iterable<string>): string {
  const value = variable(name);
  const known = [...allowed];
  if (value !== undefined && known.includes(value)) return value;
  throw new Error(
    `${name}: found ${value ?? "nothing"}, allowed: ${known.join(", ") || "none, because nothing is deployed"}`,
  );
}

/** One line about what is being done. */
export function say(line: string): void {
  console.log(`holdfast: ${line}`);
}

/** Words of a variable such as `ARGS`; quotes keep words together as in a shell. */
export function words(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replace(
      /"([^"]*)"|'([^']*)'/g,
      (_, double?: string, single?: string) => double ?? single ?? "",
    ),
  );
}
