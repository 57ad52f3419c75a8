import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { ensureBaseImages } from "./baseImages";
import { findOnPath } from "./commands";
import { type Context } from "./context";
import { installPackages } from "./debian";
import { ensureEngine } from "./engine";
import { missingVariables } from "./environment";
import { ensurePlugin } from "./plugins";
import { elapsedSeconds, say } from "./progress";
import { ensureTool, messageOf } from "./tools";
import { k6, packages, plugins, pulumi } from "./versions";

/**
 * Brings everything that is missing. A part that fails does not hold the others up; all failures
 * are in the one error at the end.
 */
export async function install(context: Context): Promise<void> {
  const failures = new Map<string, string[]>();
  const attempt = async <T>(what: string, run: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await run();
    } catch (error) {
      const message = messageOf(error);
      failures.set(message, [...(failures.get(message) ?? []), what]);
      say(`${what}: failed`);
      return undefined;
    }
  };
  await attempt("state", () => prepareState(context));
  await attempt("packages", () => ensurePackages(context));
  const engine = await attempt("docker", () => ensureEngine(context));
  if (engine !== undefined) {
    await attempt("base images", () => ensureBaseImages(context));
  }
  const cli = await attempt("pulumi", () => ensureTool(pulumi, context));
  for (const plugin of plugins) {
    await attempt(`plugin ${plugin.name}`, () =>
      ensurePlugin(plugin, context, cli?.file ?? "pulumi"),
    );
  }
  await attempt("k6", () => ensureTool(k6, context));
  if (failures.size > 0) {
    const lines = [...failures].map(([message, parts]) => `${parts.join(", ")}: ${message}`);
    throw new Error(lines.join("\n"));
  }
  say(`ready in ${elapsedSeconds().toFixed(1)} s`);
}

/** The default backend and its passphrase; nothing where the user has their own. */
function prepareState(context: Context): void {
  const { paths, use } = context;
  mkdirSync(paths.bin, { recursive: true });
  const variables = { ...use.variables, ...missingVariables(use, paths) };
  if (variables.PULUMI_BACKEND_URL !== `file://${paths.backend}`) {
    return;
  }
  mkdirSync(paths.backend, { recursive: true, mode: 0o700 });
  if (
    variables.PULUMI_CONFIG_PASSPHRASE_FILE === paths.passphraseFile &&
    !existsSync(paths.passphraseFile)
  ) {
    writeFileSync(paths.passphraseFile, `${randomBytes(24).toString("base64url")}\n`, {
      mode: 0o600,
      // Two runs at once must not each write their own.
      flag: "wx",
    });
  }
}

async function ensurePackages(context: Context): Promise<void> {
  const missing = packages.filter(({ program }) => findOnPath(program) === undefined);
  if (missing.length > 0) {
    const purposes = [...new Set(missing.map(({ needed }) => needed))];
    await installPackages(
      missing.map((entry) => entry.package),
      purposes.join(", "),
      context,
    );
  }
}
