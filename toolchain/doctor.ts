import { debianImages, npmImages, packages, plugins, tools } from "./versions";
import { hasImage } from "./baseImages";
import { findOnPath } from "./commands";
import { type Context } from "./context";
import { engineVersion } from "./engine";
import { locatePlugin } from "./plugins";
import { locateTool, unsuitableOnPath } from "./tools";

/** One line of the table. */
export interface Finding {
  tool: string;
  version: string;
  /** PATH, download, built, or missing with the reason. */
  source: string;
}

/** Looks at everything and changes nothing. */
export async function examine(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  const engine = findOnPath("docker") === undefined ? undefined : await engineVersion();
  findings.push({
    tool: "docker engine",
    version: engine ?? "-",
    source:
      engine === undefined ? "missing (or does not run)" : (process.env.DOCKER_HOST ?? "here"),
  });
  for (const { name } of [...debianImages, ...npmImages]) {
    const there = engine !== undefined && (await hasImage(name));
    findings.push({ tool: `image ${name}`, version: "-", source: there ? "here" : "missing" });
  }
  for (const tool of tools) {
    const found = await locateTool(tool, context);
    const unsuitable = found ? undefined : await unsuitableOnPath(tool, context);
    const why = unsuitable
      ? `missing (${unsuitable} on PATH; wanted is ${tool.suitable.atLeast} or newer, below ${tool.suitable.below})`
      : "missing";
    findings.push({
      tool: tool.name,
      version: found?.version ?? tool.version,
      source: found?.source ?? why,
    });
  }
  for (const plugin of plugins) {
    const found = locatePlugin(plugin, context);
    findings.push({
      tool: `plugin ${plugin.name}`,
      version: found?.version ?? plugin.version,
      source: found?.source ?? "missing",
    });
  }
  for (const { program } of packages) {
    const there = findOnPath(program) !== undefined;
    findings.push({ tool: program, version: "-", source: there ? "PATH" : "missing" });
  }
  return findings;
}

export function isMissing(finding: Finding): boolean {
  return finding.source.startsWith("missing");
}

/** The findings as aligned columns. */
export function table(findings: Finding[]): string {
  const rows = [{ tool: "tool", version: "version", source: "from" }, ...findings];
  const width = (column: "tool" | "version"): number =>
    Math.max(...rows.map((row) => row[column].length));
  return rows
    .map(({ tool, version, source }) =>
      [tool.padEnd(width("tool")), version.padEnd(width("version")), source].join("  "),
    )
    .join("\n");
}
