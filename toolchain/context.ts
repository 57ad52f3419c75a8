import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ownPulumiHome, pulumiHome, type PulumiUse } from "./environment";
import { pathsFor, type Paths } from "./paths";

/** Where things are on this machine, for this user. */
export interface Context {
  paths: Paths;
  use: PulumiUse;
  /** The Pulumi home in force, where plugins are looked for. */
  pulumiHome: string;
  isRoot: boolean;
  /** Debian itself: the toolchain installs packages there, and nowhere else. */
  isDebian: boolean;
}

export function thisMachine(): Context {
  const variables = process.env;
  const home = os.homedir();
  const paths = pathsFor(variables, home);
  const use = { variables, home, loggedIn: isLoggedIn(ownPulumiHome(variables, home)) };
  return {
    paths,
    use,
    pulumiHome: pulumiHome(use, paths),
    isRoot: process.getuid?.() === 0,
    isDebian: /^ID="?debian"?$/m.test(readIfThere("/etc/os-release")),
  };
}

/** `pulumi login` leaves the backend's name in credentials.json. */
function isLoggedIn(folder: string): boolean {
  const text = readIfThere(path.join(folder, "credentials.json"));
  try {
    return Boolean((JSON.parse(text) as { current?: unknown }).current);
  } catch {
    return false;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
