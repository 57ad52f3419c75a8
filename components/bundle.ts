import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildSync } from "esbuild";
import { projectRoot } from "../model/rendering";

const options = {
  absWorkingDir: projectRoot,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  legalComments: "none",
  logLevel: "error",
} as const;

/** Stand for all installed modules, and for what else decides where an import leads. */
const surroundings = ["node_modules/.package-lock.json", "package.json", "tsconfig.json"];

const folder = path.join(projectRoot, ".build", "bundles");

/** What a bundle was made of, kept beside it: as long as that is the same, so is the bundle. */
interface Note {
  /** Hashes of files by their path from the repository's root. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly output: string;
}

const hash = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

const hashOf = (file: string): string => hash(readFileSync(path.join(projectRoot, file)));

const known = new Map<string, Uint8Array>();

/** The program that begins in `entry`, a path from the repository's root, as one file. */
export function bundle(entry: string): Uint8Array {
  const contents = known.get(entry) ?? kept(entry) ?? make(entry);
  known.set(entry, contents);
  return contents;
}

function filesOf(entry: string): { program: string; note: string } {
  const name = path.join(folder, hash(Buffer.from(JSON.stringify([options, entry]))).slice(0, 16));
  return { program: `${name}.js`, note: `${name}.json` };
}

/** The one of an earlier run, if it would come out the same now. */
function kept(entry: string): Uint8Array | undefined {
  const files = filesOf(entry);
  try {
    const { inputs, output } = JSON.parse(readFileSync(files.note, "utf8")) as Note;
    const contents = readFileSync(files.program);
    const same = Object.entries(inputs).every(([file, before]) => hashOf(file) === before);
    return same && hash(contents) === output ? contents : undefined;
  } catch {
    // Never made, or of files that are gone.
    return undefined;
  }
}

function make(entry: string): Uint8Array {
  const { outputFiles, metafile } = buildSync({
    ...options,
    entryPoints: [entry],
    write: false,
    metafile: true,
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  const own = Object.keys(metafile.inputs).filter((file) => !file.includes("node_modules/"));
  const inputs = Object.fromEntries([...own, ...surroundings].map((file) => [file, hashOf(file)]));
  const files = filesOf(entry);
  mkdirSync(folder, { recursive: true });
  write(files.program, contents);
  write(files.note, JSON.stringify({ inputs, output: hash(contents) } satisfies Note));
  return contents;
}

/** Whole or not at all: several runs may write it. */
function write(file: string, contents: Uint8Array | string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, contents);
  renameSync(draft, file);
}
