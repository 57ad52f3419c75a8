import path from "node:path";
import {
  containerType,
  imageType,
  isJob,
  labelOf,
  listAt,
  mapping,
  textAt,
  unknown,
  type Declared,
  type Finished,
} from "./resource";

const isContainerOnMachine = ({ type, onMachine }: Declared) => type === containerType && onMachine;

/** Containers on machines have limits of memory, swap and logs, or one of them takes them all. */
export function missingLimits(resource: Declared): string[] {
  if (!isContainerOnMachine(resource)) return [];
  const { name, inputs } = resource;
  const { memory, memorySwap } = inputs;
  const maxSize = mapping(inputs["logOpts"])["max-size"];
  const unlimited = (what: string, remedy: string) =>
    `container ${name} has no limit of ${what}; ${remedy}`;
  const missing: string[] = [];
  if (memory !== unknown && !(typeof memory === "number" && memory > 0)) {
    missing.push(unlimited("memory", "give its workload memoryMegabytes"));
  } else if (memorySwap !== unknown && memory !== unknown && memorySwap !== memory) {
    missing.push(unlimited("swap", "set memorySwap to the same as memory"));
  }
  if (inputs["logOpts"] !== unknown && maxSize !== unknown && typeof maxSize !== "string") {
    missing.push(unlimited("log size", 'set logOpts "max-size" and "max-file"'));
  }
  return missing;
}

const digest = /@sha256:[0-9a-f]{64}$/;

/** Setting whose value is that text, as `holdfast:a.b`. */
export function settingWith(
  text: string,
  value: unknown,
  path: readonly string[] = [],
): string | undefined {
  if (value === text) return `holdfast:${path.join(".")}`;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = settingWith(text, inner, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * What machines pull is named by its digest: a tag may mean another image tomorrow, and on each
 * machine another one.
 */
export function missingDigest(resource: Declared, settings: unknown): string[] {
  const { type, name, onMachine, inputs } = resource;
  if (!onMachine) return [];
  const image =
    type === imageType
      ? textAt(inputs, "name")
      : type === containerType
        ? textAt(inputs, "image")
        : undefined;
  if (image === undefined || digest.test(image)) return [];
  // The id of an image that was pulled is a digest itself.
  if (type === containerType && /^sha256:/.test(image)) return [];
  const where = settingWith(image, settings) ?? "its name";
  return [
    `${type === imageType ? "image" : "container"} ${name} has ${image} without a digest; add @sha256:... to ${where} (docker buildx imagetools inspect ${image} prints it)`,
  ];
}

/** Whether a Dockerfile declares a health check. */
const checksHealth = (dockerfile: string) => /^\s*HEALTHCHECK\s+(?!NONE\b)/im.test(dockerfile);

function hasOwnCheck({ inputs }: Declared): boolean {
  const check = inputs["healthcheck"];
  if (check === unknown) return true;
  const [first] = listAt(mapping(check), "tests");
  return first !== undefined && first !== "NONE";
}

/** Folder of the Dockerfile from which the container's image was built in this program. */
function buildContext(
  container: Finished,
  resources: ReadonlyMap<string, Finished>,
): string | undefined {
  const seen = new Set<string>();
  const queue = [...(container.madeFrom["image"] ?? [])];
  for (let urn = queue.shift(); urn !== undefined; urn = queue.shift()) {
    const made = resources.get(urn);
    if (seen.has(urn) || !made?.type.startsWith("docker:")) continue;
    seen.add(urn);
    const context = textAt(mapping(made.inputs["build"]), "context");
    if (context !== undefined) return context;
    queue.push(
      ...["name", "imageId", "triggers"].flatMap((property) => made.madeFrom[property] ?? []),
    );
  }
  return undefined;
}

/** A broken rule at a resource. */
export interface Violation {
  readonly urn: string;
  readonly message: string;
}

/**
 * Services on machines have a health check, of their own or from the Dockerfile of their image.
 * `dockerfile` gives the text of the one in a build context; `knows` tells whether a tier has a
 * setting of that name.
 */
export function missingHealthChecks(
  resources: readonly Finished[],
  dockerfile: (context: string) => string | undefined,
  knows: (tier: string, setting: string) => boolean,
): Violation[] {
  const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
  return resources
    .filter((resource) => isContainerOnMachine(resource) && !isJob(resource))
    .filter((container) => !hasOwnCheck(container))
    .map((container) => ({ container, context: buildContext(container, byUrn) }))
    .filter(({ context }) => context === undefined || !checksHealth(dockerfile(context) ?? ""))
    .map(({ container, context }) => {
      const tier = labelOf(container, "holdfast.tier");
      const remedy =
        context !== undefined
          ? `add HEALTHCHECK to the Dockerfile of image ${path.basename(context)}`
          : tier !== undefined && knows(tier, "healthCommand")
            ? `set holdfast:${tier}.healthCommand`
            : "give its workload a healthCheck";
      return {
        urn: container.urn,
        message: `container ${container.name} has no health check; ${remedy}`,
      };
    });
}
