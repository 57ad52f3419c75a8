import { existsSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { ask, findOnPath } from "./commands";
import { type Context } from "./context";
import { buildModule, sourcesHash } from "./goModules";
import { place } from "./links";
import { toolFolder } from "./paths";
import { say, step } from "./progress";
import { chooseSource, isSuitable, type Situation, type Source } from "./sources";
import { download, vendorReachable } from "./vendor";
import { type Tool, type ToolFile } from "./versions";

/** A tool as it is now. */
export interface Located {
  version: string;
  source: Source;
  /** The first of the tool's executables. */
  file: string;
}

/** Where the tool is, without getting it; undefined if it is nowhere yet. */
export async function locateTool(tool: Tool, context: Context): Promise<Located | undefined> {
  const decision = chooseSource(await situationOf(tool, context));
  return "use" in decision ? located(tool, context, decision.use) : undefined;
}

/** Gets the tool if it is missing, and puts what is not on PATH into the toolchain's `bin`. */
export async function ensureTool(tool: Tool, context: Context): Promise<Located> {
  const situation = await situationOf(tool, context);
  let decision = chooseSource(situation);
  if ("ask" in decision) {
    const reachable = await vendorReachable(tool);
    decision = chooseSource({ ...situation, vendorReachable: reachable });
  }
  let source: Source;
  if ("use" in decision) {
    source = decision.use;
  } else {
    source =
      "get" in decision && decision.get === "download" ? await fetchTool(tool, context) : "built";
    if (source === "built") {
      await buildTool(tool, context);
    }
  }
  for (const file of tool.files) {
    const target = path.join(context.paths.bin, file.name);
    if (source === "PATH") {
      rmSync(target, { force: true });
    } else {
      place(fileOf(tool, file, context, source), target);
    }
  }
  return located(tool, context, source);
}

async function situationOf(tool: Tool, context: Context): Promise<Situation> {
  const all = (source: "download" | "built"): boolean =>
    tool.files.every((file) => existsSync(fileOf(tool, file, context, source)));
  const onPath = await versionOnPath(tool, context);
  return {
    ...(onPath === undefined ? {} : { onPath }),
    suitable: tool.suitable,
    downloaded: all("download"),
    built: all("built"),
  };
}

function fileOf(
  tool: Tool,
  file: ToolFile,
  context: Context,
  source: "download" | "built",
): string {
  const folder =
    source === "download"
      ? toolFolder(context.paths, tool.name, tool.version, "download")
      : toolFolder(context.paths, file.name, tool.version, sourcesHash(file.module));
  return path.join(folder, "bin", file.name);
}

/** Paths of a tool's executables outside the toolchain's own folder, if all are there. */
function filesOnPath(tool: Tool, context: Context): string[] | undefined {
  const files = tool.files.map((file) => findOnPath(file.name, [context.paths.bin]));
  return files.every((file) => file !== undefined) ? files : undefined;
}

async function versionOnPath(tool: Tool, context: Context): Promise<string | undefined> {
  const file = filesOnPath(tool, context)?.[0];
  if (file === undefined) {
    return undefined;
  }
  const printed = await ask(file, ["version"]);
  return printed === undefined ? undefined : /\d+\.\d+\.\d+/.exec(printed)?.[0];
}

async function located(tool: Tool, context: Context, source: Source): Promise<Located> {
  const [first] = tool.files;
  if (first === undefined) {
    throw new Error(`tool ${tool.name} has no files`);
  }
  if (source === "PATH") {
    const file = filesOnPath(tool, context)?.[0] ?? first.name;
    return { version: (await versionOnPath(tool, context)) ?? "?", source, file };
  }
  return { version: tool.version, source, file: fileOf(tool, first, context, source) };
}

/** Downloads; if that fails after all, says so and leaves the rest to building. */
async function fetchTool(tool: Tool, context: Context): Promise<Source> {
  const folder = toolFolder(context.paths, tool.name, tool.version, "download");
  try {
    await step(`${tool.name} ${tool.version}: downloading`, () => download(tool, folder));
    return "download";
  } catch (error) {
    say(`${tool.name} ${tool.version}: ${messageOf(error)}; building it instead`);
    return "built";
  }
}

async function buildTool(tool: Tool, context: Context): Promise<void> {
  for (const file of tool.files) {
    const target = fileOf(tool, file, context, "built");
    if (existsSync(target)) {
      continue;
    }
    mkdirSync(path.dirname(target), { recursive: true });
    const variable = file.versionVariable;
    await step(`${file.name} ${tool.version}: building from Go modules`, () =>
      buildModule(
        {
          module: file.module,
          package: file.package,
          buildTags: [],
          ...(variable
            ? { setVariable: { name: variable.name, value: `${variable.prefix}${tool.version}` } }
            : {}),
        },
        target,
      ),
    );
  }
}

/** A tool on PATH that is there but not in a suitable version, for doctor's remark. */
export async function unsuitableOnPath(tool: Tool, context: Context): Promise<string | undefined> {
  const version = await versionOnPath(tool, context);
  return version !== undefined && !isSuitable(version, tool.suitable) ? version : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
