import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findOnPath, run } from "./commands";
import { type Context } from "./context";
import { buildModule, sourcesHash } from "./goModules";
import { place } from "./links";
import { pluginFolder, toolFolder } from "./paths";
import { say, step } from "./progress";
import { type Source } from "./sources";
import { messageOf, type Located } from "./tools";
import { vendorReachable } from "./vendor";
import { pulumi, type Plugin } from "./versions";

/** Beside a plugin that was built here: the hash of the sources it was built from. */
const markerName = "built-from";

/** Where the plugin is, without getting it; undefined if it is nowhere, or built from older sources. */
export function locatePlugin(plugin: Plugin, context: Context): Located | undefined {
  const executable = `pulumi-resource-${plugin.name}`;
  const onPath = findOnPath(executable, [context.paths.bin]);
  if (onPath !== undefined) {
    return { version: "?", source: "PATH", file: onPath };
  }
  const folder = pluginFolder(context.pulumiHome, plugin.name, plugin.version);
  const file = path.join(folder, executable);
  if (!existsSync(file)) {
    return undefined;
  }
  const marker = path.join(folder, markerName);
  if (!existsSync(marker)) {
    return { version: plugin.version, source: "download", file };
  }
  return readFileSync(marker, "utf8").trim() === sourcesHash(plugin.module)
    ? { version: plugin.version, source: "built", file }
    : undefined;
}

/** Gets the plugin if it is missing. `pulumiFile` is the Pulumi CLI that installs a vendor's one. */
export async function ensurePlugin(
  plugin: Plugin,
  context: Context,
  pulumiFile: string,
): Promise<Located> {
  const found = locatePlugin(plugin, context);
  if (found !== undefined) {
    return found;
  }
  const built = builtFile(plugin, context);
  if (!existsSync(built)) {
    const source = await fetchPlugin(plugin, context, pulumiFile);
    if (source === "download") {
      const downloaded = locatePlugin(plugin, context);
      if (downloaded !== undefined) {
        return downloaded;
      }
    }
    await step(`plugin ${plugin.name} ${plugin.version}: building from Go modules`, () =>
      buildModule(
        {
          module: plugin.module,
          package: ".",
          buildTags: plugin.buildTags,
          setVariable: { name: "main.version", value: plugin.version },
        },
        built,
      ),
    );
  }
  const folder = pluginFolder(context.pulumiHome, plugin.name, plugin.version);
  const file = path.join(folder, path.basename(built));
  mkdirSync(folder, { recursive: true });
  place(built, file);
  writeFileSync(path.join(folder, markerName), `${sourcesHash(plugin.module)}\n`);
  return { version: plugin.version, source: "built", file };
}

function builtFile(plugin: Plugin, context: Context): string {
  const name = `pulumi-resource-${plugin.name}`;
  const key = sourcesHash(plugin.module);
  return path.join(toolFolder(context.paths, name, plugin.version, key), "bin", name);
}

/** The vendor's way, where its network is open. A plugin built from older sources is built again. */
async function fetchPlugin(plugin: Plugin, context: Context, pulumiFile: string): Promise<Source> {
  const folder = pluginFolder(context.pulumiHome, plugin.name, plugin.version);
  if (existsSync(path.join(folder, markerName)) || !(await vendorReachable(pulumi))) {
    return "built";
  }
  try {
    await step(`plugin ${plugin.name} ${plugin.version}: downloading`, () =>
      run(pulumiFile, ["plugin", "install", "resource", plugin.name, plugin.version], {
        env: { PULUMI_HOME: context.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true" },
        timeout: 300_000,
      }),
    );
    return "download";
  } catch (error) {
    say(`plugin ${plugin.name} ${plugin.version}: ${messageOf(error)}; building it instead`);
    return "built";
  }
}
