import path from "node:path";
import { type Paths, type Variables } from "./paths";

/** What decides whether the user has a Pulumi of their own. */
export interface PulumiUse {
  variables: Variables;
  home: string;
  /** True if credentials.json in the user's Pulumi home names a backend. */
  loggedIn: boolean;
}

/** The user's own Pulumi home, whether or not it exists. */
export function ownPulumiHome(variables: Variables, home: string): string {
  return variables.PULUMI_HOME ?? path.join(home, ".pulumi");
}

/** A backend the user chose: by variable, by access token, or by `pulumi login`. */
function hasOwnBackend({ variables, loggedIn }: PulumiUse): boolean {
  return Boolean(variables.PULUMI_BACKEND_URL ?? variables.PULUMI_ACCESS_TOKEN) || loggedIn;
}

/** The Pulumi home in force: the user's if they have a Pulumi of their own, else one in the cache. */
export function pulumiHome(use: PulumiUse, paths: Paths): string {
  return use.variables.PULUMI_HOME !== undefined || hasOwnBackend(use)
    ? ownPulumiHome(use.variables, use.home)
    : path.join(paths.cache, "pulumi");
}

/**
 * The variables that programs need beside those that are set; nothing the user set is overridden.
 * PATH is whole: with `bin` in front unless it is there already.
 */
export function missingVariables(use: PulumiUse, paths: Paths): Record<string, string> {
  const { variables } = use;
  const result: Record<string, string> = {};
  const searched = (variables.PATH ?? "").split(":");
  if (!searched.includes(paths.bin)) {
    result.PATH = [paths.bin, ...searched.filter((folder) => folder !== "")].join(":");
  }
  const home = pulumiHome(use, paths);
  if (variables.PULUMI_HOME === undefined && home !== ownPulumiHome(variables, use.home)) {
    result.PULUMI_HOME = home;
  }
  const backend = `file://${paths.backend}`;
  if (!hasOwnBackend(use)) {
    result.PULUMI_BACKEND_URL = backend;
  }
  const ours = (result.PULUMI_BACKEND_URL ?? variables.PULUMI_BACKEND_URL) === backend;
  if (
    ours &&
    variables.PULUMI_CONFIG_PASSPHRASE === undefined &&
    variables.PULUMI_CONFIG_PASSPHRASE_FILE === undefined
  ) {
    result.PULUMI_CONFIG_PASSPHRASE_FILE = paths.passphraseFile;
  }
  if (variables.PULUMI_SKIP_UPDATE_CHECK === undefined) {
    result.PULUMI_SKIP_UPDATE_CHECK = "true";
  }
  return result;
}

/** Lines for `eval` in any POSIX shell. */
export function exportLines(variables: Record<string, string>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join("");
}
