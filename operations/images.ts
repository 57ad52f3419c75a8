import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { wantedImages } from "../model/optionalImages";
import { projectRoot } from "../model/rendering";
import { tiers } from "../tiers";
import { pullImage } from "../toolchain/baseImages";
import { say } from "./command";
import { hasImage } from "./hasImage";
import type { Stack } from "./pulumi";
import { settingsOf } from "./settingsFile";

/** For so long nobody is asked again for what could not be had: silence takes its time. */
const rememberedMs = 3_600_000;

const markerOf = (name: string) =>
  path.join(projectRoot, ".build", "unreachable", encodeURIComponent(name));

function wasUnreachable(name: string): boolean {
  const marked = statSync(markerOf(name), { throwIfNoEntry: false });
  return marked !== undefined && Date.now() - marked.mtimeMs < rememberedMs;
}

/**
 * Pulls the images that the stack would like to have and this computer lacks. Where that fails
 * nothing is said: the program says what the stack goes without.
 */
export async function bringImages({ configFile }: Pick<Stack, "configFile">): Promise<void> {
  for (const name of wantedImages(tiers, settingsOf(configFile))) {
    if (hasImage(name) || wasUnreachable(name)) continue;
    const marker = markerOf(name);
    if (await pullImage(name, () => say(`pulling ${name}`))) rmSync(marker, { force: true });
    else {
      mkdirSync(path.dirname(marker), { recursive: true });
      writeFileSync(marker, "");
    }
  }
}
