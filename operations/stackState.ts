/*
 * What a stack's state says and how it may be changed: pure functions over what
 * `pulumi stack export` prints. Reading and writing it is in pulumi.ts.
 */
import type { InForce } from "../model/rotation";
import type { GateSpec } from "./gate";
import type { JobSpec } from "./job";
import type { SshTarget } from "./ssh";

/** A resource in the state; fields that nothing here needs are kept as they are. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly parent?: string;
  /** `<urn of the provider>::<its id>`. */
  readonly provider?: string;
  readonly dependencies?: readonly string[];
  readonly propertyDependencies?: Readonly<Record<string, readonly string[] | null>>;
  readonly deletedWith?: string;
  readonly replaceWith?: readonly string[];
}

/** An operation that an update began and did not finish. */
export interface PendingOperation {
  readonly resource: StateResource;
  readonly type: string;
}

export interface Deployment {
  readonly resources?: readonly StateResource[];
  readonly pending_operations?: readonly PendingOperation[];
}

/** What `pulumi stack export` prints. */
export interface StackState {
  readonly version: number;
  readonly deployment: Deployment;
}

/** Name of a resource: the last part of its URN. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

const resourcesOf = ({ deployment }: StackState) => deployment.resources ?? [];

function named(state: StackState, name: string): StateResource | undefined {
  return resourcesOf(state).find(({ urn }) => nameOf(urn) === name);
}

/** What the gates in the state were told in an environment variable, in the order of their making. */
function toldGates(state: StackState, variable: string): unknown[] {
  return resourcesOf(state).flatMap(({ urn, inputs }) => {
    const environment = inputs?.["environment"];
    if (!nameOf(urn).endsWith("-gate") || typeof environment !== "object" || !environment) {
      return [];
    }
    const text = (environment as Readonly<Record<string, unknown>>)[variable];
    return typeof text === "string" ? [JSON.parse(text) as unknown] : [];
  });
}

/** The gates' descriptions that the state holds. */
const recordedSpecs = (state: StackState) => toldGates(state, "HOLDFAST_GATE") as GateSpec[];

/**
 * The gates' descriptions of every node that the state knows. A node whose gate failed has none of
 * its own: it is described by those of its tier.
 */
export function gateSpecs(state: StackState): GateSpec[] {
  const recorded = recordedSpecs(state);
  const known = new Map<string, GateSpec>();
  for (const spec of recorded) {
    for (const { node } of spec.members) {
      const own = recorded.find((other) => other.node === node);
      if (!known.has(node)) known.set(node, own ?? { ...spec, node });
    }
  }
  return [...known.values()];
}

/** Value of a container's label, undefined where it has none. */
function labelOf({ inputs }: StateResource, wanted: string): string | undefined {
  const labels = (inputs?.["labels"] ?? []) as readonly { label?: unknown; value?: unknown }[];
  const found = labels.find(({ label }) => label === wanted)?.value;
  return typeof found === "string" ? found : undefined;
}

/** The gates' descriptions of a tier's nodes; `tier` is its settings name. */
export function gatesOfTier(state: StackState, tier: string): GateSpec[] {
  const nodes = resourcesOf(state)
    .filter((resource) => labelOf(resource, "holdfast.tier") === tier)
    .map((resource) => labelOf(resource, "holdfast.node"));
  return gateSpecs(state).filter(({ node }) => nodes.includes(node));
}

/** How the deployer logs in to the machine of a node. Throws where the gate does not know it. */
export function machineOf({ node, members }: GateSpec): SshTarget {
  const own = members.find((member) => member.node === node);
  if (!own) throw new Error(`gate of ${node}: no member ${node}`);
  return own.machine;
}

/** Every machine that the state knows, by key. */
export function deployedMachines(state: StackState, stack: string): ReadonlyMap<string, SshTarget> {
  const engines = resourcesOf(state).flatMap((resource) => targetOfEngine(resource, stack) ?? []);
  return new Map(
    [...gateSpecs(state).map(machineOf), ...engines].map((target) => [target.machine, target]),
  );
}

/** Descriptions of the nodes on a machine, in the order in which they were made. */
export function nodesOn(state: StackState, machine: string): GateSpec[] {
  return gateSpecs(state).filter((spec) => machineOf(spec).machine === machine);
}

/** Names of the containers on a machine that run once, such as migrations. */
export function jobsOn(state: StackState, machine: string): string[] {
  return (toldGates(state, "HOLDFAST_JOB") as JobSpec[])
    .filter((job) => job.machine.machine === machine)
    .map(({ container }) => container);
}

/** URN of a node's container; undefined where it was never made or is being replaced. */
export function containerOf(state: StackState, node: string): string | undefined {
  return named(state, `${node}-container`)?.urn;
}

const nodeParts = ["image", "container", "gate"];
const machineParts = ["machine", "volume", "host-key", "engine", "firewall", "firewall-closed"];

/** Arguments of `pulumi up` that confine it to these nodes and machines, existing or not. */
export function targetArguments(nodes: readonly string[], machines: readonly string[]): string[] {
  const names = [
    ...machines.flatMap((key) => [key, ...machineParts.map((part) => `${key}-${part}`)]),
    ...nodes.flatMap((key) => [key, ...nodeParts.map((part) => `${key}-${part}`)]),
  ];
  return names.flatMap((name) => ["--target", `**::${name}`]);
}

/** Seconds between SIGTERM and SIGKILL of a node's container. Default: 60. */
export function stopTimeoutOf(state: StackState, node: string): number {
  const value = named(state, `${node}-container`)?.inputs?.["stopTimeout"];
  return typeof value === "number" ? value : 60;
}

/** Where a stack's machines come from, or undefined where nothing is deployed. */
export function sourceOf(state: StackState): "lab" | "inventory" | undefined {
  if (resourcesOf(state).some(({ type }) => type === "holdfast:index:Lab")) return "lab";
  return resourcesOf(state).some(({ type }) => type === "holdfast:index:Machine")
    ? "inventory"
    : undefined;
}

/** Generation in a name such as `pki-ca-2`; 1 where it has none. */
const generationIn = (urn: string) => Number(/-(\d+)$/.exec(nameOf(urn))?.[1] ?? 1);

/** What the deployed nodes trust, show and use. */
export function inForce(state: StackState): InForce {
  const ofType = (wanted: string) => resourcesOf(state).filter(({ type }) => type === wanted);
  const authorities = ofType("tls:index/selfSignedCert:SelfSignedCert").filter(({ urn }) =>
    /^pki-ca(-\d+)?$/.test(nameOf(urn)),
  );
  const signers = ofType("tls:index/locallySignedCert:LocallySignedCert").flatMap(({ inputs }) => {
    const signer = authorities.find(
      ({ outputs }) => outputs?.["certPem"] === inputs?.["caCertPem"],
    );
    return signer ? [generationIn(signer.urn)] : [];
  });
  const generated = ofType("random:index/randomPassword:RandomPassword")
    .filter(({ urn }) => /^passwords-.*-\d+$/.test(nameOf(urn)))
    .map(({ urn }) => generationIn(urn));
  const used = gateSpecs(state).flatMap(({ service }) => service.passwords ?? []);
  const sorted = (numbers: readonly number[]) => [...new Set(numbers)].sort((a, b) => a - b);
  return {
    authorities: sorted(authorities.map(({ urn }) => generationIn(urn))),
    signers: sorted(signers),
    // Nodes of older versions do not say: after an update that went through it is the newest.
    passwords: used.length > 0 ? sorted(used) : sorted(generated).slice(-1),
  };
}

/** Number of deployed resources that exist outside the state. */
export function deployedCount(state: StackState): number {
  return resourcesOf(state).filter(({ id }) => id !== undefined).length;
}

const urnOfProvider = (reference: string) => reference.slice(0, reference.lastIndexOf("::"));

/**
 * The state without these resources, without their descendants and whatever their providers made,
 * and without any mention of them.
 */
export function without(state: StackState, urns: Iterable<string>): StackState {
  const gone = new Set(urns);
  const resources = resourcesOf(state);
  for (let before = -1; before !== gone.size;) {
    before = gone.size;
    for (const { urn, parent, provider } of resources) {
      if ((parent && gone.has(parent)) || (provider && gone.has(urnOfProvider(provider)))) {
        gone.add(urn);
      }
    }
  }
  const kept = (urn: string) => !gone.has(urn);
  return {
    ...state,
    deployment: {
      ...state.deployment,
      resources: resources
        .filter(({ urn }) => kept(urn))
        .map((resource) => withoutMention(resource, kept)),
    },
  };
}

function withoutMention(resource: StateResource, kept: (urn: string) => boolean): StateResource {
  const { dependencies, propertyDependencies, deletedWith, replaceWith, ...rest } = resource;
  return {
    ...rest,
    ...(dependencies && { dependencies: dependencies.filter(kept) }),
    ...(propertyDependencies && {
      propertyDependencies: Object.fromEntries(
        Object.entries(propertyDependencies).map(([property, urns]) => [
          property,
          urns && urns.filter(kept),
        ]),
      ),
    }),
    ...(deletedWith && kept(deletedWith) && { deletedWith }),
    ...(replaceWith && { replaceWith: replaceWith.filter(kept) }),
  };
}

/** URNs of what a lost machine takes with it: the machine, and the nodes and jobs it carried. */
export function lostWith(state: StackState, machine: string): string[] {
  const nodes = new Set(nodesOn(state, machine).map(({ node }) => node));
  const jobs = new Set(jobsOn(state, machine));
  return resourcesOf(state).flatMap(({ urn, type }) => {
    const name = nameOf(urn);
    const own = type === "holdfast:index:Machine" && name === machine;
    const lost =
      own ||
      (type === "holdfast:index:Node" && nodes.has(name)) ||
      (type === "holdfast:index:Migration" && jobs.has(name));
    return lost ? [urn] : [];
  });
}

/** Where a Docker object is: on this computer's engine, or on a machine's. */
export type Engine = "local" | SshTarget;

/** A Docker object that an unfinished operation was about. */
export interface DockerObject {
  readonly urn: string;
  readonly kind: "container" | "network" | "volume";
  readonly name: string;
  readonly engine: Engine;
  /** What the unfinished update was doing with it. */
  readonly operation: string;
}

/** What an engine says about an object. `stack` is its label, empty where it has none. */
export interface SeenObject {
  readonly id: string;
  readonly stack: string;
}

const kinds: Readonly<Record<string, DockerObject["kind"]>> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  "docker:index/volume:Volume": "volume",
};

/** The machine whose Docker engine the provider reaches; undefined where it is no such provider. */
function targetOfEngine({ urn, inputs }: StateResource, stack: string): SshTarget | undefined {
  const host = inputs?.["host"];
  const match = typeof host === "string" && /^ssh:\/\/([^@]+)@([^:/]+)(?::(\d+))?$/.exec(host);
  if (!match) return undefined;
  const [, user = "root", address = "", port = "22"] = match;
  const machine = nameOf(urn).replace(/-engine$/, "");
  return { stack, machine, host: address, port: Number(port), user };
}

function engineOf(state: StackState, provider: string | undefined, stack: string): Engine {
  const found = resourcesOf(state).find(({ urn }) => provider && urn === urnOfProvider(provider));
  return (found && targetOfEngine(found, stack)) ?? "local";
}

/** Docker objects whose fate an interrupted update left open. */
export function openObjects(state: StackState, stack: string): DockerObject[] {
  return (state.deployment.pending_operations ?? []).flatMap(({ resource, type: operation }) => {
    const kind = kinds[resource.type];
    const name = resource.inputs?.["name"] ?? resource.outputs?.["name"];
    return kind && typeof name === "string"
      ? [
          {
            urn: resource.urn,
            kind,
            name,
            operation,
            engine: engineOf(state, resource.provider, stack),
          },
        ]
      : [];
  });
}

/** What has to be done before the next update can begin. */
export interface Settlement {
  /** Half-made objects to remove. */
  readonly remove: readonly DockerObject[];
  /** URNs of resources that were being deleted and are gone. */
  readonly forget: readonly string[];
}

/**
 * Decides what to do with what an interrupted update left: `seen` is what the engines have now,
 * in the order of `objects`; undefined where an object does not exist or its engine is silent.
 * Only objects with this stack's label that the state does not hold are removed.
 */
export function settlement(
  state: StackState,
  stack: string,
  objects: readonly DockerObject[],
  seen: readonly (SeenObject | "unknown" | undefined)[],
): Settlement {
  const remove: DockerObject[] = [];
  const forget: string[] = [];
  const held = new Set(resourcesOf(state).map(({ id }) => id));
  objects.forEach((object, index) => {
    const found = seen[index];
    if (found === "unknown") return;
    if (object.operation === "creating") {
      if (found && found.stack === stack && !held.has(found.id)) remove.push(object);
    } else if (!found && object.operation === "deleting") forget.push(object.urn);
  });
  return { remove, forget };
}

/** True where the state holds operations that an interrupted update left. */
export function isUnsettled({ deployment }: StackState): boolean {
  return (deployment.pending_operations ?? []).length > 0;
}

/** The state with the interrupted operations cleared and what is gone forgotten. */
export function settled(state: StackState, forget: readonly string[]): StackState {
  const rest = without(state, forget);
  return { ...rest, deployment: { ...rest.deployment, pending_operations: [] } };
}

/** Content of a lock file of a file backend. */
export interface Lock {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
}

/**
 * May the locks be broken? Only where every one was taken on this computer by a process that no
 * longer runs (`alive` tells).
 */
export function allStale(
  locks: readonly Lock[],
  hostname: string,
  alive: (pid: number) => boolean,
): boolean {
  return locks.every((lock) => lock.hostname === hostname && !alive(lock.pid));
}
