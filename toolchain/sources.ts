/** Where a tool comes from, in the order in which they are tried. */
export type Source = "PATH" | "download" | "built";

/** What is known of a tool before anything is fetched. */
export interface Situation {
  /** Version of the one on PATH (the toolchain's own folder left out), if there is one. */
  onPath?: string;
  suitable: { atLeast: string; below: string };
  downloaded: boolean;
  built: boolean;
  /** Asked only when nothing is there yet: it costs time where the network is closed. */
  vendorReachable?: boolean;
}

/** What is to be done: use what is there, or get it. */
export type Decision = { use: Source } | { get: "download" | "built" } | { ask: "vendorReachable" };

/** PATH, then the vendor's download, then built from Go modules; what is cached is not fetched again. */
export function chooseSource(situation: Situation): Decision {
  if (situation.onPath !== undefined && isSuitable(situation.onPath, situation.suitable)) {
    return { use: "PATH" };
  }
  if (situation.downloaded) {
    return { use: "download" };
  }
  if (situation.built) {
    return { use: "built" };
  }
  if (situation.vendorReachable === undefined) {
    return { ask: "vendorReachable" };
  }
  return { get: situation.vendorReachable ? "download" : "built" };
}

/** Compares the numbers of two versions; what follows them (`-rc.1`) is not looked at. */
export function compareVersions(left: string, right: string): number {
  const numbers = (version: string): number[] =>
    (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
  const [a, b] = [numbers(left), numbers(right)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) {
      return Math.sign(difference);
    }
  }
  return 0;
}

export function isSuitable(version: string, range: { atLeast: string; below: string }): boolean {
  return compareVersions(version, range.atLeast) >= 0 && compareVersions(version, range.below) < 0;
}

/** The SHA-256 of a file in a list of `<hex>  <name>` lines; undefined if it is not listed. */
export function checksumOf(list: string, file: string): string | undefined {
  for (const line of list.split("\n")) {
    const [, hex, name] = /^([0-9a-f]{64})[ \t]+\*?(.+?)\s*$/i.exec(line) ?? [];
    if (hex !== undefined && name === file) {
      return hex.toLowerCase();
    }
  }
  return undefined;
}
