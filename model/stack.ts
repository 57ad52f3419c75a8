import * as addresses from "./addresses";
import { SettingsError, type Problem, type Settings } from "./settings";
import {
  letter,
  type Balanced,
  type Listener,
  type Placement,
  type TierDeclaration,
  type Tiers,
} from "./tier";

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
}

/** What a tier offers to others: one address, whatever stands behind it. */
export interface Endpoint {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "http" | "https" | "tcp";
}

/** A balanced listener with its servers, as the load balancers serve it. */
export interface Backend extends Balanced {
  readonly tier: string;
  readonly address: string;
  readonly servers: readonly {
    readonly name: string;
    readonly address: string;
    readonly port: number;
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

/** Address of the lab's image registry. */
export function labRegistryAddress(net: addresses.Network): string {
  return addresses.host(net, addresses.labHosts.registry);
}

function plannedTier(
  settings: Settings,
  declaration: TierDeclaration,
  machineFor: (key: string, index: number) => PlannedMachine | undefined,
): PlannedTier {
  const values = settings[declaration.name] as unknown as Placement;
  const nodes = Array.from({ length: values.count }, (_, index): PlannedNode | undefined => {
    const key = `${declaration.key}-${letter(index)}`;
    const machine = machineFor(
      values.machines?.[index] ?? `vm-${key}`,
      declaration.labHost + index,
    );
    return machine && { key, machine };
  });
  return {
    name: declaration.name,
    declaration,
    nodes: nodes.filter((node) => node !== undefined),
    listeners: declaration.listeners(values as never),
  };
}

/**
 * Plans the stack: machines, nodes, addresses, endpoints and backends, in the tiers' order.
 * Throws a SettingsError naming every contradiction between settings.
 */
export function planStack<T extends Tiers>(tiers: T, settings: Settings<T>): StackPlan<T> {
  const { machines: machineSettings } = settings;
  const inLab = machineSettings.source === "lab";
  const network = addresses.network(machineSettings.network);
  const problems = [...missingInInventory(tiers, settings)];

  const machines = new Map<string, PlannedMachine>();
  let free = addresses.labHosts.firstListed;
  for (const [key, listed] of Object.entries(machineSettings.list)) {
    const address = listed.address ?? (inLab ? addresses.host(network, free++) : undefined);
    if (address === undefined) continue;
    machines.set(key, {
      key,
      address,
      ssh: { host: listed.sshHost ?? address, port: listed.sshPort, user: listed.sshUser },
      hostKey: listed.hostKey,
      interface: listed.interface ?? machineSettings.interface,
      failureDomain: listed.failureDomain ?? key,
    });
  }
  const machineFor = (key: string, labHost: number): PlannedMachine | undefined => {
    if (!machines.has(key) && inLab && key.startsWith("vm-")) {
      const address = addresses.host(network, labHost);
      machines.set(key, {
        key,
        address,
        ssh: { host: address, port: 22, user: "root" },
        hostKey: undefined,
        interface: machineSettings.interface,
        failureDomain: key,
      });
    }
    return machines.get(key);
  };
  const planned = Object.fromEntries(
    Object.entries(tiers).map(([name, declaration]) => [
      name,
      plannedTier(settings as Settings, declaration, machineFor),
    ]),
  ) as { [K in keyof T]: PlannedTier };
  const all = Object.values(planned) as PlannedTier[];

  const balancer = all.find(({ declaration }) => declaration.vips);
  const vipsOf = balancer?.declaration.vips?.(
    (settings as Settings)[balancer.name] as never,
    (n) => (inLab ? addresses.host(network, n) : undefined),
  );
  const vips =
    balancer && balancer.nodes.length > 0 && vipsOf?.edge && vipsOf.internal
      ? { edge: vipsOf.edge, internal: vipsOf.internal }
      : undefined;

  const backends = all.flatMap((tier) => backendsOf(tier, vips));
  const plan: StackPlan<T> = {
    settings,
    network,
    machines: [...machines.values()],
    tiers: planned,
    vips,
    backends,
    endpoints: backends.map((backend) => endpointOf(backend, vips)),
  };
  problems.push(
    ...placementProblems(all, settings as Settings, machines),
    ...addressProblems(plan, inLab),
    ...(balancer ? vipProblems(plan, balancer) : []),
    ...portProblems(plan, balancer),
  );
  if (problems.length > 0) throw new SettingsError(problems);
  return plan;
}

function backendsOf(tier: PlannedTier, vips: StackPlan["vips"]): Backend[] {
  return tier.listeners.flatMap(({ balanced, port }) =>
    balanced && port !== undefined
      ? [
          {
            ...balanced,
            tier: tier.name,
            address: vips?.[balanced.vip] ?? tier.nodes[0]?.machine.address ?? "",
            servers: tier.nodes.map(({ key, machine }) => ({
              name: key,
              address: machine.address,
              port,
            })),
          },
        ]
      : [],
  );
}

function endpointOf(backend: Backend, vips: StackPlan["vips"]): Endpoint {
  const name = backend.endpoint;
  if (!vips) {
    return {
      name,
      address: backend.address,
      port: backend.servers[0]?.port ?? 0,
      protocol: backend.mode,
    };
  }
  const { port, tls } = backend.ports[0] ?? { port: 0, tls: false };
  return { name, address: backend.address, port, protocol: tls ? "https" : backend.mode };
}

const quoted = (values: Iterable<string>) => [...values].join(", ") || "none";

function missingInInventory(tiers: Tiers, settings: Settings): Problem[] {
  if (settings.machines.source !== "inventory") return [];
  const required = (key: string, allowed: string): Problem => ({ key, found: "nothing", allowed });
  const problems: Problem[] = [];
  if (Object.keys(settings.machines.list).length === 0) {
    problems.push(required("holdfast:machines.list", "at least one machine in an inventory"));
  }
  for (const [key, listed] of Object.entries(settings.machines.list)) {
    if (!listed.address) {
      problems.push(required(`holdfast:machines.list.${key}.address`, "an IPv4 address"));
    }
    if (!listed.hostKey) {
      problems.push(
        required(
          `holdfast:machines.list.${key}.hostKey`,
          "the machine's public SSH host key, as ssh-keyscan prints it",
        ),
      );
    }
  }
  if (!settings.machines.privateKey) {
    problems.push(
      required(
        "holdfast:machines.privateKey",
        "a private SSH key that the machines accept (secret)",
      ),
    );
  }
  if (!settings.registry.address) {
    problems.push(required("holdfast:registry.address", "a registry that the machines reach"));
  }
  for (const [name, tier] of Object.entries(tiers)) {
    const values = settings[name] as unknown as Placement;
    if (values.count === 0) continue;
    if (!values.machines) {
      problems.push(
        required(`holdfast:${name}.machines`, `${values.count} keys of holdfast:machines.list`),
      );
    }
    const vips = tier.vips?.(values as never, () => undefined);
    if (vips && !vips.edge) problems.push(required(`holdfast:${name}.edgeVip`, "an IPv4 address"));
    if (vips && !vips.internal) {
      problems.push(required(`holdfast:${name}.internalVip`, "an IPv4 address"));
    }
  }
  return problems;
}

function placementProblems(
  tiers: readonly PlannedTier[],
  settings: Settings,
  machines: ReadonlyMap<string, PlannedMachine>,
): Problem[] {
  return tiers.flatMap(({ name, declaration }): Problem[] => {
    const { count, machines: keys } = settings[name] as unknown as Placement;
    const problems: Problem[] = [];
    if (declaration.votes && count % 2 === 0) {
      problems.push({
        key: `holdfast:${name}.count`,
        found: String(count),
        allowed: "an odd number, because the nodes vote",
      });
    }
    if (!keys) return problems;
    if (keys.length < count) {
      problems.push({
        key: `holdfast:${name}.machines`,
        found: `${keys.length} (${quoted(keys)})`,
        allowed: `at least ${count}, one for each node`,
      });
    }
    for (const key of new Set(keys)) {
      if (!machines.has(key)) {
        problems.push({
          key: `holdfast:${name}.machines`,
          found: JSON.stringify(key),
          allowed: `keys of holdfast:machines.list (${quoted(machines.keys())})`,
        });
      }
      if (keys.filter((other) => other === key).length > 1) {
        problems.push({
          key: `holdfast:${name}.machines`,
          found: `${JSON.stringify(key)} twice`,
          allowed: "each machine once: two nodes of a tier on one machine fail together",
        });
      }
    }
    return problems;
  });
}

function addressProblems(plan: StackPlan<Tiers>, inLab: boolean): Problem[] {
  const { network, machines } = plan;
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  if (inLab) {
    if (network.last - network.first < 255) {
      problems.push({
        key: "holdfast:machines.network",
        found: network.cidr,
        allowed: "a network of at least 256 addresses (/24) for the lab",
      });
    }
    owners.set(addresses.host(network, addresses.labHosts.gateway), "the lab's gateway");
    owners.set(labRegistryAddress(network), "the lab's registry");
  }
  for (const { key, address } of machines) {
    const setting = `holdfast:machines.list.${key}.address`;
    if (!addresses.isHost(network, address)) {
      problems.push({
        key: setting,
        found: address,
        allowed: `an address of a host in holdfast:machines.network (${network.cidr})`,
      });
    }
    const owner = owners.get(address);
    if (owner) {
      problems.push({
        key: setting,
        found: address,
        allowed: `an address of its own; ${owner} has it`,
      });
    }
    owners.set(address, `machine ${key}`);
  }
  return problems;
}

function vipProblems(plan: StackPlan<Tiers>, balancer: PlannedTier): Problem[] {
  const { vips, machines, network } = plan;
  const problems: Problem[] = [];
  if (!vips) {
    for (const backend of plan.backends) {
      if (backend.servers.length > 1) {
        problems.push({
          key: `holdfast:${backend.tier}.count`,
          found: String(backend.servers.length),
          allowed: `1, because holdfast:${balancer.name}.count is 0 and nothing balances endpoint ${backend.endpoint}`,
        });
      }
    }
    return problems;
  }
  for (const kind of ["edge", "internal"] as const) {
    const key = `holdfast:${balancer.name}.${kind}Vip`;
    const machine = machines.find(({ address }) => address === vips[kind]);
    if (!addresses.isHost(network, vips[kind])) {
      problems.push({
        key,
        found: vips[kind],
        allowed: `an address of a host in holdfast:machines.network (${network.cidr})`,
      });
    }
    if (machine) {
      problems.push({
        key,
        found: vips[kind],
        allowed: `an address that no machine has; ${machine.key} has it`,
      });
    }
  }
  if (vips.edge === vips.internal) {
    problems.push({
      key: `holdfast:${balancer.name}.internalVip`,
      found: vips.internal,
      allowed: "an address other than the edge's",
    });
  }
  const balancers = new Set(balancer.nodes.map(({ machine }) => machine.key));
  const consumers = new Set(
    (Object.values(plan.tiers) as PlannedTier[]).flatMap(({ listeners }) =>
      listeners.filter(({ balanced }) => balanced).flatMap(({ from }) => from),
    ),
  );
  for (const tier of Object.values(plan.tiers) as PlannedTier[]) {
    if (!consumers.has(tier.name)) continue;
    for (const node of tier.nodes) {
      if (balancers.has(node.machine.key)) {
        problems.push({
          key: `holdfast:${tier.name}.machines`,
          found: `${node.key} on ${node.machine.key}`,
          allowed: `machines without a load balancer, because ${tier.name} connects to a virtual address`,
        });
      }
    }
  }
  return problems;
}

function portProblems(plan: StackPlan<Tiers>, balancer: PlannedTier | undefined): Problem[] {
  const problems: Problem[] = [];
  const users = new Map<string, string>(
    plan.machines.map(({ key, ssh }) => [`${key} tcp ${ssh.port}`, "the machine's SSH server"]),
  );
  const claim = (machine: string, protocol: string, port: number, key: string, user: string) => {
    const taken = users.get(`${machine} ${protocol} ${port}`);
    if (taken) {
      problems.push({
        key,
        found: `${protocol} port ${port} on machine ${machine}`,
        allowed: `a port that nothing else uses there; ${taken} does`,
      });
    }
    users.set(`${machine} ${protocol} ${port}`, user);
  };
  for (const tier of Object.values(plan.tiers) as PlannedTier[]) {
    for (const { machine, key } of tier.nodes) {
      for (const { name, protocol, port } of tier.listeners) {
        if (port !== undefined) {
          claim(machine.key, protocol, port, `holdfast:${tier.name}`, `listener ${name} of ${key}`);
        }
      }
    }
  }
  if (!plan.vips || !balancer) return problems;
  for (const { machine } of balancer.nodes) {
    const here = new Map<string, string>();
    for (const { tier, endpoint, ports, vip } of plan.backends) {
      for (const { port } of ports) {
        const at = `${vip} ${port}`;
        const taken = here.get(at) ?? users.get(`${machine.key} tcp ${port}`);
        if (taken) {
          problems.push({
            key: `holdfast:${tier}`,
            found: `tcp port ${port} of endpoint ${endpoint} on machine ${machine.key}`,
            allowed: `a port that nothing else uses there; ${taken} does`,
          });
        }
        here.set(at, `endpoint ${endpoint}`);
      }
    }
  }
  return problems;
}
