import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { ask, findOnPath, run } from "./commands";
import { compareVersions } from "./sources";
import { goVersion } from "./versions";

const modulesFolder = path.join(import.meta.dirname, "go");

/** Hash over names and contents of a module's own files: what, with the version, keys the cache. */
export function sourcesHash(module: string): string {
  const folder = path.join(modulesFolder, module);
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(path.join(folder, name)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 12);
}

export interface Build {
  module: string;
  package: string;
  buildTags: string[];
  /** Linker variable and the text it gets. */
  setVariable?: { name: string; value: string };
}

/** Builds one executable of a module in toolchain/go as `file`. */
export async function buildModule(build: Build, file: string): Promise<void> {
  await requireGo();
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = mkdtempSync(`${path.dirname(file)}/.draft-`);
  const output = path.join(draft, path.basename(file));
  const link = ["-s", "-w"];
  if (build.setVariable) {
    link.push("-X", `${build.setVariable.name}=${build.setVariable.value}`);
  }
  try {
    await run(
      "go",
      [
        "build",
        "-trimpath",
        ...(build.buildTags.length > 0 ? ["-tags", build.buildTags.join(",")] : []),
        "-ldflags",
        link.join(" "),
        "-o",
        output,
        build.package,
      ],
      {
        cwd: path.join(modulesFolder, build.module),
        // No C compiler is needed, and the user's flags must not change what is built.
        env: { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false", GOWORK: "off" },
        hint:
          "if a module could not be fetched, look at `go env GOPROXY`: it must serve the versions " +
          `in toolchain/go/${build.module}/go.sum`,
      },
    );
    renameSync(output, file);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

let checked: Promise<void> | undefined;

/** Go is asked for its version at most once a run, and only when something is built. */
function requireGo(): Promise<void> {
  checked ??= (async () => {
    if (findOnPath("go") === undefined) {
      throw new Error(`go is not on PATH; install Go ${goVersion} or newer`);
    }
    const version = await ask("go", ["env", "GOVERSION"], { cwd: "/" });
    // An older Go from 1.21 on fetches the one it needs by itself.
    if (version === undefined || compareVersions(version, "1.21") < 0) {
      throw new Error(`go is ${version ?? "not working"}; install Go ${goVersion} or newer`);
    }
  })();
  return checked;
}
