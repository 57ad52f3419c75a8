/*
 * Checks style: types, eslint, format, shell scripts, Go. Runs every check and fails if one does.
 * shellcheck and gofmt are not npm packages: where one is missing, that is said.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../model/rendering";

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** True where what it prints means failure, whatever its exit code. */
  readonly silent?: boolean;
  readonly optional?: boolean;
}

const shebang = /^#!.*\b(ba|da)?sh\b/;

/** Files that git knows or would take, from the repository's root. */
async function files(): Promise<string[]> {
  const { stdout } = await execa(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    { cwd: projectRoot },
  );
  return stdout.split("\n").filter(Boolean);
}

function isShell(file: string): boolean {
  if (/\.(sh|bash)$/.test(file)) return true;
  if (path.extname(file) !== "") return false;
  try {
    const head = readFileSync(path.join(projectRoot, file), { encoding: "utf8" }).slice(0, 80);
    return shebang.test(head);
  } catch {
    // Removed, but git still lists it.
    return false;
  }
}

async function run({ name, command: [program, ...args], silent, optional }: Check) {
  const started = Date.now();
  const result = await execa(program, args, {
    cwd: projectRoot,
    reject: false,
    all: true,
    preferLocal: true,
  });
  if (optional && result.code === "ENOENT") {
    console.log(`${name}: not checked, ${program} is not installed`);
    return true;
  }
  const ok = result.exitCode === 0 && !(silent && result.all.trim() !== "");
  console.log(`${name}: ${ok ? "ok" : "failed"} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (!ok) console.log(result.all || result.shortMessage);
  return ok;
}

const known = await files();
const shell = known.filter(isShell);
const go = known.filter((file) => file.endsWith(".go"));
const checks: Check[] = [
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "eslint", command: ["eslint", "."] },
  { name: "format", command: ["prettier", "--check", "--log-level", "warn", "."] },
  { name: "shell scripts", command: ["shellcheck", ...shell], optional: true },
  { name: "Go format", command: ["gofmt", "-l", ...go], silent: true, optional: true },
];
let failed = 0;
for (const check of checks) if (!(await run(check))) failed += 1;
if (failed > 0) {
  console.log(`${failed} of ${checks.length} checks failed`);
  process.exitCode = 1;
}
