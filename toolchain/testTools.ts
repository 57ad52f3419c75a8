import { existsSync } from "node:fs";
import path from "node:path";
import { type Context } from "./context";
import { buildModule, sourcesHash } from "./goModules";
import { toolFolder } from "./paths";
import { step } from "./progress";
import { type TestTool } from "./versions";

/** Builds what is missing of the tool; the folder with its executables. */
export async function ensureTestTool(tool: TestTool, context: Context): Promise<string> {
  const key = sourcesHash(tool.module);
  const folder = path.join(toolFolder(context.paths, tool.name, tool.version, key), "bin");
  for (const name of tool.packages) {
    const file = path.join(folder, path.basename(name));
    if (existsSync(file)) continue;
    await step(`${path.basename(name)} ${tool.version}: building from Go modules`, () =>
      buildModule({ module: tool.module, package: name, buildTags: [] }, file),
    );
  }
  return folder;
}
