import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { ask, findOnPath, run } from "./commands";
import { type Context } from "./context";
import { installPackages } from "./debian";
import { say, step } from "./progress";
import { debianImages, npmImages, type DebianImage, type NpmImage } from "./versions";

type BaseImage = DebianImage | NpmImage;

/** How long `docker pull` may take to say its first word: a closed network is noticed by silence. */
const firstWordMs = 8_000;

const recipeLabel = "holdfast.recipe";

/** Sizes and dates are of no interest here: is there an image of that name? */
export async function hasImage(name: string): Promise<boolean> {
  return (await ask("docker", ["image", "inspect", "--format", "{{.Id}}", name])) !== undefined;
}

/** Brings each missing base image: pulled, else made of packages under the same name. */
export async function ensureBaseImages(context: Context): Promise<void> {
  for (const image of debianImages) {
    if (!(await isThere(image))) await makeFromDebian(image, context);
  }
  for (const image of npmImages) {
    if (!(await isThere(image))) await makeFromNpm(image);
  }
}

async function isThere(image: BaseImage): Promise<boolean> {
  if (await wasMadeOtherwise(image)) return false;
  return (await hasImage(image.name)) || pull(image.name);
}

/** Is there one that was made here by another recipe? */
async function wasMadeOtherwise(image: BaseImage): Promise<boolean> {
  const format = `{{.Comment}}|{{if .Config.Labels}}{{index .Config.Labels "${recipeLabel}"}}{{end}}`;
  const found = await ask("docker", ["image", "inspect", "--format", format, image.name]);
  return isOfAnotherRecipe(found, recipeOf(image));
}

/** `found`: comment and label of the image, with `|` between; undefined where there is no image. */
export function isOfAnotherRecipe(found: string | undefined, recipe: string): boolean {
  const [comment = "", label = ""] = (found ?? "").trim().split("|");
  // What was pulled or loaded has no label and says nothing of an import: it stays.
  return (label !== "" || comment.startsWith("Imported from")) && label !== recipe;
}

async function pull(name: string): Promise<boolean> {
  say(`image ${name}: pulling`);
  const pulled = await pullImage(name);
  say(`image ${name}: ${pulled ? "pulled" : "cannot be pulled here"}`);
  return pulled;
}

/**
 * True if the image was pulled; false if no registry answers or it lacks the image. `onFirstWord` is
 * called when a registry answers.
 */
export async function pullImage(name: string, onFirstWord?: () => void): Promise<boolean> {
  const pulling = execa("docker", ["pull", name], { reject: false, all: true, stdin: "ignore" });
  const timer = setTimeout(() => pulling.kill(), firstWordMs);
  pulling.stdout.once("data", () => {
    clearTimeout(timer);
    onFirstWord?.();
  });
  const result = await pulling;
  clearTimeout(timer);
  return !result.failed && (await hasImage(name));
}

async function makeFromDebian(image: DebianImage, context: Context): Promise<void> {
  const { name, release } = image;
  if (findOnPath("mmdebstrap") === undefined) {
    await installPackages(["mmdebstrap"], `a tool to make the image ${name}`, context);
  }
  const mirror = await debianMirror();
  await make(image, `packages from ${mirror ?? "Debian"}`, async (folder, label) => {
    const packed = path.join(folder, "image.tar");
    await run("mmdebstrap", mmdebstrapArguments(image, packed, mirror), {
      hint: `the mirror must have Debian ${release}, and this machine its keys (package debian-archive-keyring)`,
    });
    await run("docker", ["import", "--change", label, packed, name]);
  });
}

async function makeFromNpm(image: NpmImage): Promise<void> {
  const { name, from, integrity, file, target } = image;
  await make(image, `${from} and the npm package ${image.package}`, async (folder, label) => {
    await run("npm", ["pack", image.package, "--pack-destination", folder], {
      hint: "npm's registry must have it; npm config get registry says which that is",
    });
    const archive = path.join(folder, readdirSync(folder)[0] ?? "");
    const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (found !== integrity) {
      throw new Error(`${image.package} is not what it was: found ${found}, wanted ${integrity}`);
    }
    await run("tar", ["--extract", `--file=${archive}`, `--directory=${folder}`]);
    await run("docker", ["build", "--tag", name, "--file", "-", folder], {
      stdin: "pipe",
      input: `FROM ${from}\n${label}\nCOPY package/${file} ${target}\n`,
    });
  });
}

/** Runs the work in a folder of its own, with the label that its image must bear, and checks it. */
async function make(
  image: BaseImage,
  source: string,
  work: (folder: string, label: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-image-"));
  try {
    await step(`image ${image.name}: making it of ${source}`, async () => {
      await work(folder, `LABEL ${recipeLabel}=${recipeOf(image)}`);
      await check(image);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names what an image is made by, so that one made otherwise is made anew. */
function recipeOf(image: BaseImage): string {
  const text =
    "release" in image
      ? mmdebstrapArguments(image, "", undefined)
      : [image.from, image.package, image.file, image.target];
  return createHash("sha256").update(text.join("\n")).digest("hex").slice(0, 16);
}

/** Files that no service reads; the official images leave them out too. */
const leftOut = ["/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*"];

/** Of what apt keeps, nothing is needed twice: in a layer it would stay for good. */
const keepNothing = [
  'Dir::Cache::pkgcache "";',
  'Dir::Cache::srcpkgcache "";',
  'APT::Keep-Downloaded-Packages "false";',
  'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };',
].join("\\n");

/** What `mmdebstrap` is called with to write the image's files to `packed`. */
export function mmdebstrapArguments(
  { release, packages }: DebianImage,
  packed: string,
  mirror: string | undefined,
): string[] {
  return [
    "--quiet",
    "--variant=minbase",
    `--include=${packages.join(",")}`,
    ...leftOut.map((files) => `--dpkgopt=path-exclude=${files}`),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    `--customize-hook=printf '${keepNothing}\\n' > "$1/etc/apt/apt.conf.d/docker-clean"`,
    '--customize-hook=rm -f "$1"/var/cache/apt/*.bin',
    // sid changes daily and its index expires in a week: a mirror that lags is still good.
    ...(release === "sid" ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : []),
    release,
    packed,
    ...(mirror ? [mirror] : []),
  ];
}

/** Throws, and takes the name away again, if the image is not what its name promises. */
async function check({ name, check: wanted }: BaseImage): Promise<void> {
  if (!wanted) return;
  const printed = await ask("docker", ["run", "--rm", "--network=none", name, ...wanted.command]);
  if (printed?.includes(wanted.prints)) return;
  await run("docker", ["rmi", name]);
  throw new Error(
    `image ${name}: ${wanted.command.join(" ")} printed ${JSON.stringify(printed)}, wanted ${wanted.prints}; the mirror has another version`,
  );
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
