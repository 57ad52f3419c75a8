import { execa } from "execa";
import { ask, findOnPath } from "./commands";
import { type Context } from "./context";
import { installPackages } from "./debian";
import { step } from "./progress";
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
  return step(`image ${name}: pulling`, async () => {
    const pulling = execa("docker", ["pull", name], { reject: false, all: true, stdin: "ignore" });
    const timer = setTimeout(() => pulling.kill(), firstWordMs);
    pulling.all.once("data", () => clearTimeout(timer));
    const result = await pulling;
    clearTimeout(timer);
    return !result.failed && (await hasImage(name));
  });
}

async function makeFromPackages(name: string, release: string, context: Context): Promise<void> {
  if (findOnPath("mmdebstrap") === undefined) {
    await installPackages(["mmdebstrap"], `a tool to make the image ${name}`, context);
  }
  const mirror = await debianMirror();
  await step(`image ${name}: making it of packages from ${mirror}`, async () => {
    const make = execa(
      "mmdebstrap",
      ["--quiet", "--variant=minbase", "--include=ca-certificates", release, "-", mirror],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe", reject: false, buffer: { stdout: false } },
    );
    const load = execa("docker", ["import", "-", name], { reject: false, stdin: make.stdout });
    const [made, loaded] = await Promise.all([make, load]);
    if (made.failed) {
      throw new Error(
        `mmdebstrap cannot make ${name} from ${mirror}:\n${made.stderr.split("\n").slice(-10).join("\n")}\nits mirror must have Debian ${release}`,
      );
    }
    if (loaded.failed) {
      throw new Error(`docker import of ${name} failed:\n${loaded.stderr}`);
    }
  });
}

/** The mirror that this machine's own apt uses for Debian, else Debian's. */
async function debianMirror(): Promise<string> {
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
  return mirror ?? "http://deb.debian.org/debian";
}
