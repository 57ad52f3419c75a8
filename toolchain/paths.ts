import path from "node:path";

/** Variables of a process, as in `process.env`. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Where the toolchain keeps what it makes. Nothing is in the checkout: a fresh clone rebuilds nothing. */
export interface Paths {
  /** Can be removed at any time: built and downloaded tools. */
  cache: string;
  /** Must not be lost: the default backend with the stacks' state, its passphrase. */
  state: string;
  /** On PATH: what was not there before. */
  bin: string;
  backend: string;
  passphraseFile: string;
  engineLog: string;
}

/** The XDG folders, where a relative value counts as unset. */
export function pathsFor(variables: Variables, home: string): Paths {
  const folder = (variable: string, fallback: string): string => {
    const value = variables[variable];
    return path.join(
      value && path.isAbsolute(value) ? value : path.join(home, fallback),
      "holdfast",
    );
  };
  const cache = folder("XDG_CACHE_HOME", ".cache");
  const state = folder("XDG_STATE_HOME", ".local/state");
  return {
    cache,
    state,
    bin: path.join(cache, "bin"),
    backend: path.join(state, "backend"),
    passphraseFile: path.join(state, "passphrase"),
    engineLog: path.join(state, "dockerd.log"),
  };
}

/** Folder of one tool from one source; `key` is `download` or a hash of the Go module's sources. */
export function toolFolder(paths: Paths, name: string, version: string, key: string): string {
  return path.join(paths.cache, "tools", name, `${version}-${key}`);
}

/** Where the Pulumi engine looks for a plugin. */
export function pluginFolder(pulumiHome: string, name: string, version: string): string {
  return path.join(pulumiHome, "plugins", `resource-${name}-v${version}`);
}
