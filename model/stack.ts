import * as addresses from "./addresses";
import { checkSettings, placementOf, SettingsError, type Problem, type Settings } from "./settings";
import { contradictions } from "./stackProblems";
import { letter, type Balanced, type Listener, type TierDeclaration, type Tiers } from "./tier";
import { stageOf, withMetricsTls, type TlsStage } from "./tls";

export { labRegistryAddress } from "./addresses";

/** A machine as planned: everything about it that is known before it exists. */
export interface PlannedMachine {
  readonly key: string;
  readonly address: string;
  readonly ssh: { readonly host: string; readonly port: number; readonly user: string };
  /** Public host key; undefined in the lab, where it is made. */
  readonly hostKey: string | undefined;
  readonly interface: string;
  readonly failureDomain: string;
}

/** A node as planned. */
export interface PlannedNode {
  readonly key: string;
  readonly machine: PlannedMachine;
}

/** A tier as planned. */
export interface PlannedTier {
  readonly name: string;
  readonly declaration: TierDeclaration;
  readonly nodes: readonly PlannedNode[];
  readonly listeners: readonly Listener[];
  /** Port on which its nodes tell their own state on their machine's loopback, where they do. */
  readonly statusPort: number | undefined;
}

/** What a tier offers to others: one address, whatever stands behind it. */
export interface Endpoint {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "http" | "https" | "tcp";
  /** Name that the certificate is valid for, where tiers use it over TLS. */
  readonly serverName?: string;
}

/** A balanced listener with its servers, as the load balancers serve it. */
export interface Backend extends Balanced {
  readonly tier: string;
  readonly address: string;
  /** How the servers are spoken to. */
  readonly tls: TlsStage;
  /** Whether a check on a port of its own is asked over TLS. */
  readonly checkTls: boolean;
  readonly servers: readonly {
    readonly name: string;
    readonly address: string;
    readonly port: number;
    /** Port for TLS, where the servers have one. */
    readonly tlsPort: number | undefined;
  }[];
}

/** The whole stack, computed from settings alone. */
export interface StackPlan<T extends Tiers = Tiers> {
  readonly settings: Settings<T>;
  readonly network: addresses.Network;
  readonly machines: readonly PlannedMachine[];
  readonly tiers: { readonly [K in keyof T]: PlannedTier };
  /** Virtual addresses; undefined where the stack has no load balancer. */
  readonly vips: { readonly edge: string; readonly internal: string } | undefined;
  readonly backends: readonly Backend[];
  readonly endpoints: readonly Endpoint[];
}

/** The tier beside whose nodes the tier's own stand, where it has nodes that do. */
export function neighbourOf(
  plan: StackPlan<Tiers>,
  { name, declaration, nodes }: PlannedTier,
): PlannedTier | undefined {
  if (nodes.length === 0) return undefined;
  return plan.tiers[declaration.beside?.(plan.settings[name] as never, plan.settings) ?? ""];
}

/** The listeners that the tier's nodes ask, in the order in which it names them. */
export function askedListeners(plan: StackPlan<Tiers>, tier: PlannedTier): readonly Listener[] {
  const neighbour = neighbourOf(plan, tier);
  return (tier.declaration.asks ?? []).flatMap(
    (asked) => neighbour?.listeners.filter(({ name }) => name === asked) ?? [],
  );
}

/** Machines that settings list; in the lab those without an address get the next free one. */
function listedMachines(settings: Settings, network: addresses.Network): PlannedMachine[] {
  const { source, list, interface: common } = settings.machines;
  const taken = new Set(Object.values(list).map(({ address }) => address));
  let next = addresses.labHosts.firstListed;
  const free = () => {
    while (taken.has(addresses.host(network, next))) next++;
    return addresses.host(network, next++);
  };
  return Object.entries(list).flatMap(([key, listed]): PlannedMachine[] => {
    const address = listed.address ?? (source === "lab" ? free() : undefined);
    if (address === undefined) return [];
    return [
      {
        key,
        address,
        ssh: { host: listed.sshHost ?? address, port: listed.sshPort, user: listed.sshUser },
        hostKey: listed.hostKey,
        interface: listed.interface ?? common,
        failureDomain: listed.failureDomain ?? key,
      },
    ];
  });
}

/** Machines of their own that the lab has for nodes, by key: `vm-<node key>`. */
function labMachines(
  tiers: Tiers,
  settings: Settings,
  network: addresses.Network,
): Map<string, PlannedMachine> {
  const { source, interface: device } = settings.machines;
  if (source !== "lab") return new Map();
  const machines = Object.values(tiers).flatMap(({ key: tier, labHost }) =>
    Array.from(
      { length: labHost === undefined ? 0 : addresses.labHosts.perTier },
      (_, index): [string, PlannedMachine] => {
        const key = `vm-${tier}-${letter(index)}`;
        const address = addresses.host(network, (labHost ?? 0) + index);
        const ssh = { host: address, port: 22, user: "root" };
        const common = { hostKey: undefined, interface: device, failureDomain: key };
        return [key, { key, address, ssh, ...common }];
      },
    ),
  );
  return new Map(machines);
}

/** The nodes that the settings place, each on the machine of that key where there is one. */
function placedNodes(
  settings: Settings,
  { name, key: tier }: TierDeclaration,
  machineFor: (key: string) => PlannedMachine | undefined,
): PlannedNode[] {
  const { count, machines } = placementOf(settings, name);
  const nodes = Array.from({ length: count }, (_, index): PlannedNode | undefined => {
    const key = `${tier}-${letter(index)}`;
    const machine = machineFor(machines ? (machines[index] ?? "") : `vm-${key}`);
    return machine && { key, machine };
  });
  return nodes.filter((node) => node !== undefined);
}

/**
 * Every tier with its nodes; those on every machine come to where the others are. `without`: tiers
 * that have none, whatever the settings say.
 */
function plannedTiers(
  tiers: Tiers,
  settings: Settings,
  machineFor: (key: string) => PlannedMachine | undefined,
  without: readonly string[],
): PlannedTier[] {
  const declared = Object.values(tiers);
  const placed = new Map(
    declared.map((tier) => [tier.name, placedNodes(settings, tier, machineFor)]),
  );
  const carrying = new Map(
    [...placed.values()].flat().map(({ machine }) => [machine.key, machine]),
  );
  return declared.map((declaration) => {
    const { name, key } = declaration;
    const neighbours =
      placed.get(declaration.beside?.(settings[name] as never, settings) ?? "") ?? [];
    const beside = neighbours.map(({ machine }, index) => ({
      key: `${key}-${letter(index)}`,
      machine,
    }));
    const everywhere = [...carrying.values()].map((machine) => ({
      key: `${key}-${machine.key}`,
      machine,
    }));
    return {
      name,
      declaration,
      nodes: without.includes(name)
        ? []
        : declaration.everyMachine?.(settings)
          ? everywhere
          : [...(placed.get(name) ?? []), ...beside],
      listeners: declaration
        .listeners(settings[name] as never, settings)
        .map((listener) => withMetricsTls(listener, settings.pki.metricsTls)),
      statusPort: declaration.statusPort?.(settings[name] as never),
    };
  });
}

/** The plan of what settings make sense, contradictions or not. */
function drawPlan<T extends Tiers>(
  tiers: T,
  typed: Settings<T>,
  without: readonly string[] = [],
): StackPlan<T> {
  const settings = typed as Settings;
  const network = addresses.network(settings.machines.network);
  const own = labMachines(tiers, settings, network);
  const machines = new Map(listedMachines(settings, network).map((listed) => [listed.key, listed]));
  const machineFor = (key: string): PlannedMachine | undefined => {
    const machine = machines.get(key) ?? own.get(key);
    if (machine) machines.set(key, machine);
    return machine;
  };
  const all = plannedTiers(tiers, settings, machineFor, without);

  const balancer = all.find(({ declaration }) => declaration.vips !== undefined);
  const inLab = settings.machines.source === "lab";
  const { edge, internal } =
    balancer?.declaration.vips?.(settings[balancer.name] as never, (n) =>
      inLab ? addresses.host(network, n) : undefined,
    ) ?? {};
  const vips =
    balancer && balancer.nodes.length > 0 && edge && internal ? { edge, internal } : undefined;

  const backends = all.flatMap((tier) => backendsOf(tier, vips));
  return {
    settings: typed,
    network,
    machines: [...machines.values()],
    tiers: Object.fromEntries(all.map((tier) => [tier.name, tier])) as StackPlan<T>["tiers"],
    vips,
    backends,
    endpoints: backends.map((backend) => endpointOf(backend, vips)),
  };
}

/**
 * Plans the stack: machines, nodes, addresses, endpoints and backends, in the tiers' order.
 * Throws a SettingsError naming every contradiction between settings. `without`: settings names of
 * tiers that the stack goes without, whatever the settings say.
 */
export function planStack<T extends Tiers>(
  tiers: T,
  settings: Settings<T>,
  without: readonly string[] = [],
): StackPlan<T> {
  const plan = drawPlan(tiers, settings, without);
  const problems = contradictions(plan);
  if (problems.length > 0) throw new SettingsError(problems);
  return plan;
}

/**
 * Plans the stack from the raw configuration (top-level key without `holdfast:` -> parsed value).
 * Throws a SettingsError naming every mistake: wrong values, and contradictions among the tiers
 * whose settings could be read.
 */
export function readPlan<T extends Tiers>(
  tiers: T,
  raw: Readonly<Record<string, unknown>>,
): StackPlan<T> {
  const { problems, values } = checkSettings(tiers, raw);
  if (problems.length === 0) return planStack(tiers, values as Settings<T>);
  throw new SettingsError([...problems, ...contradictionsAmong(tiers, values)]);
}

function contradictionsAmong(tiers: Tiers, values: Readonly<Record<string, unknown>>): Problem[] {
  // Everything stands on these; a guess at what they should be would only add noise.
  if (!values["machines"] || !values["registry"] || !values["pki"]) return [];
  const readable = Object.fromEntries(Object.entries(tiers).filter(([name]) => values[name]));
  return contradictions(drawPlan(readable, values as Settings));
}

function backendsOf(tier: PlannedTier, vips: StackPlan["vips"]): Backend[] {
  const [first] = tier.nodes;
  if (!first) return [];
  return tier.listeners.flatMap((listener) => {
    const { balanced = [], port, tls } = listener;
    return port === undefined
      ? []
      : balanced.map((offer) => ({
          ...offer,
          tier: tier.name,
          address: vips?.[offer.vip] ?? first.machine.address,
          tls: stageOf(listener),
          checkTls:
            offer.check.port !== undefined &&
            tier.listeners.some((asked) => asked.tls?.port === offer.check.port),
          servers: tier.nodes.map(({ key, machine }) => ({
            name: key,
            address: machine.address,
            port,
            tlsPort: tls?.port,
          })),
        }));
  });
}

function endpointOf(backend: Backend, vips: StackPlan["vips"]): Endpoint {
  const { endpoint: name, address, mode, vip } = backend;
  const [server] = backend.servers;
  // The node itself where nothing is in front of it.
  const { port, tls } = vips
    ? (backend.ports[0] ?? { port: 0, tls: false })
    : server?.tlsPort === undefined
      ? { port: server?.port ?? 0, tls: false }
      : { port: server.tlsPort, tls: true };
  const serverName = vips ? name : server?.name;
  return {
    name,
    address,
    port,
    protocol: tls ? "https" : mode,
    ...(tls && vip === "internal" && serverName !== undefined && { serverName }),
  };
}
