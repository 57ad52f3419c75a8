import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { ask, findOnPath, run } from "./commands";
import { type Context } from "./context";
import { installPackages } from "./debian";
import { say, step } from "./progress";
import { baseImages } from "./versions";

/** How long `docker pull` may take to say its first word: a closed network is noticed by silence. */
const firstWordMs = 8_000;

/** Sizes and dates are of no interest here: is there an image of that name? */
export async function hasImage(name: string): Promise<boolean> {
  return (await ask("docker", ["image", "inspect", "--format", "{{.Id}}", name])) !== undefined;
}

/** Brings each missing base image: pulled, else made of Debian packages under the same name. */
export async function ensureBaseImages(context: Context): Promise<void> {
  for (const image of baseImages) {
    if ((await hasImage(image.name)) || (await pull(image.name))) {
      continue;
    }
    await makeFromPackages(image.name, image.release, context);
  }
}

/** True if the image was pulled; false if no registry answers or it lacks the image. */
async function pull(name: string): Promise<boolean> {
  say(`image ${name}: pulling`);
  const pulling = execa("docker", ["pull", name], { reject: false, all: true, stdin: "ignore" });
  const timer = setTimeout(() => pulling.kill(), firstWordMs);
  pulling.stdout.once("data", () => clearTimeout(timer));
  const result = await pulling;
  clearTimeout(timer);
  const pulled = !result.failed && (await hasImage(name));
  say(`image ${name}: ${pulled ? "pulled" : "cannot be pulled here"}`);
  return pulled;
}

async function makeFromPackages(name: string, release: string, context: Context): Promise<void> {
  if (findOnPath("mmdebstrap") === undefined) {
    await installPackages(["mmdebstrap"], `a tool to make the image ${name}`, context);
  }
  const mirror = await debianMirror();
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-image-"));
  const packed = path.join(folder, "image.tar");
  try {
    await step(`image ${name}: making it of packages from ${mirror ?? "Debian"}`, async () => {
      const options = ["--quiet", "--variant=minbase", "--include=ca-certificates"];
      await run("mmdebstrap", [...options, release, packed, ...(mirror ? [mirror] : [])], {
        hint: `the mirror must have Debian ${release}, and this machine its keys (package debian-archive-keyring)`,
      });
      await run("docker", ["import", packed, name]);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The mirror that this machine's own apt uses for Debian, undefined where it has none. */
async function debianMirror(): Promise<string | undefined> {
  const targets = await ask("apt-get", [
    "indextargets",
    "--format",
    "$(ORIGIN) $(LABEL) $(REPO_URI)",
    "Created-By: Packages",
  ]);
  const mirror = targets
    ?.split("\n")
    .map((line) => line.split(" "))
    .find(([origin, label]) => origin === "Debian" && label === "Debian")?.[2];
  return mirror;
}
