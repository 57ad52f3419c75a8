import * as addresses from "./addresses";
import { placementOf, type Problem, type Settings } from "./settings";
import type { PlannedTier, StackPlan } from "./stack";
import type { Tiers } from "./tier";

type Plan = StackPlan<Tiers>;

const listed = (values: Iterable<string>) => [...values].join(", ") || "none";

const tiersOf = (plan: Plan): readonly PlannedTier[] => Object.values(plan.tiers);

const balancerOf = (plan: Plan) =>
  tiersOf(plan).find(({ declaration }) => declaration.vips !== undefined);

/** Every contradiction between settings that are each right by themselves, in a stable order. */
export function contradictions(plan: Plan): Problem[] {
  const balancer = balancerOf(plan);
  return [
    ...(plan.settings.machines.source === "lab"
      ? misplacedInLab(plan.settings)
      : missingInInventory(plan)),
    ...registryProblems(plan.settings),
    ...placementProblems(plan),
    ...networkProblems(plan),
    ...addressProblems(plan),
    ...(balancer ? balancingProblems(plan, balancer) : []),
    ...listenerPortProblems(plan),
    ...(balancer ? endpointPortProblems(plan, balancer) : []),
    ...tiersOf(plan).flatMap(({ declaration }) => declaration.problems?.(plan) ?? []),
  ];
}

function missingInInventory(plan: Plan): Problem[] {
  const { settings } = plan;
  const { list, privateKey } = settings.machines;
  const missing = (key: string, allowed: string): Problem => ({ key, found: "nothing", allowed });
  const problems: Problem[] = [];
  if (Object.keys(list).length === 0) {
    problems.push(missing("holdfast:machines.list", "at least one machine in an inventory"));
  }
  for (const [key, { address, hostKey }] of Object.entries(list)) {
    const at = `holdfast:machines.list.${key}`;
    if (!address) problems.push(missing(`${at}.address`, "an IPv4 address such as 10.77.0.21"));
    if (!hostKey) {
      problems.push(
        missing(`${at}.hostKey`, "the machine's public SSH host key, as ssh-keyscan prints it"),
      );
    }
  }
  if (!privateKey) {
    problems.push(
      missing(
        "holdfast:machines.privateKey",
        "a private SSH key that the machines accept, set with pulumi config set --secret --path",
      ),
    );
  }
  if (!settings.registry.address) {
    problems.push(
      missing("holdfast:registry.address", "an image registry that the machines reach"),
    );
  }
  for (const { name, declaration } of tiersOf(plan)) {
    const { count, machines } = placementOf(settings, name);
    if (count === 0) continue;
    if (!machines) {
      const keys = count === 1 ? "1 key" : `${count} keys`;
      problems.push(missing(`holdfast:${name}.machines`, `${keys} of holdfast:machines.list`));
    }
    const vips = declaration.vips?.(settings[name] as never, () => undefined);
    for (const kind of ["edge", "internal"] as const) {
      if (vips && !vips[kind]) {
        problems.push(
          missing(
            `holdfast:${name}.${kind}Vip`,
            `a free address in holdfast:machines.network (${plan.network.cidr})`,
          ),
        );
      }
    }
  }
  return problems;
}

/** Settings that only an inventory has; in the lab they would be ignored in silence. */
function misplacedInLab({ machines, registry }: Settings): Problem[] {
  const problems: Problem[] = [];
  const refuse = (key: string, value: unknown, secret = false) => {
    if (value === undefined) return;
    problems.push({
      key: `holdfast:${key}`,
      found: secret ? "a secret value" : JSON.stringify(value),
      allowed: "nothing: it is for an inventory, and holdfast:machines.source is lab",
    });
  };
  refuse("machines.privateKey", machines.privateKey, true);
  for (const [key, { sshHost, sshPort, hostKey }] of Object.entries(machines.list)) {
    refuse(`machines.list.${key}.sshHost`, sshHost);
    refuse(`machines.list.${key}.sshPort`, sshPort === 22 ? undefined : sshPort);
    refuse(`machines.list.${key}.hostKey`, hostKey);
  }
  refuse("registry.address", registry.address);
  refuse("registry.pushAddress", registry.pushAddress);
  refuse("registry.username", registry.username);
  refuse("registry.password", registry.password, true);
  return problems;
}

function registryProblems({ machines, registry }: Settings): Problem[] {
  if (machines.source === "lab") return [];
  const needs = (key: string, other: string): Problem => ({
    key: `holdfast:registry.${key}`,
    found: "nothing",
    allowed: `text, because holdfast:registry.${other} is set`,
  });
  if (registry.username && !registry.password) return [needs("password", "username")];
  if (registry.password && !registry.username) return [needs("username", "password")];
  return [];
}

function placementProblems(plan: Plan): Problem[] {
  const { machines: all, settings } = plan;
  const inLab = settings.machines.source === "lab";
  const known = new Set(all.map(({ key }) => key));
  return tiersOf(plan).flatMap(({ name, declaration }): Problem[] => {
    const { count, machines: keys } = placementOf(settings, name);
    const problems: Problem[] = [];
    const wrong = (key: string, found: string, allowed: string) =>
      problems.push({ key: `holdfast:${name}.${key}`, found, allowed });
    if (declaration.votes && count > 0 && count % 2 === 0) {
      wrong("count", String(count), "an odd number, because the nodes vote");
    }
    if (!keys) {
      if (inLab && count > addresses.labHosts.perTier) {
        wrong(
          "count",
          String(count),
          `at most ${addresses.labHosts.perTier} without holdfast:${name}.machines, because the lab has so many machines for a tier`,
        );
      }
      return problems;
    }
    if (keys.length < count) {
      wrong("machines", `${keys.length} (${listed(keys)})`, `at least ${count}, one for each node`);
    }
    const own = inLab ? `, or vm-<node key> such as vm-${declaration.key}-a` : "";
    for (const key of new Set(keys)) {
      // Spare keys are not planned with; they must exist nevertheless.
      if (!known.has(key) && !(inLab && isLabMachine(plan, key))) {
        wrong(
          "machines",
          JSON.stringify(key),
          `keys of holdfast:machines.list (${listed(Object.keys(settings.machines.list))})${own}`,
        );
      }
      if (keys.filter((other) => other === key).length > 1) {
        wrong(
          "machines",
          `${JSON.stringify(key)} twice`,
          "each machine once: two nodes of a tier on one machine fail together",
        );
      }
    }
    return problems;
  });
}

function isLabMachine(plan: Plan, machine: string): boolean {
  return tiersOf(plan).some(({ declaration }) => {
    if (declaration.labHost === undefined) return false;
    const prefix = `vm-${declaration.key}-`;
    const index = machine.charCodeAt(prefix.length) - "a".charCodeAt(0);
    return (
      machine.startsWith(prefix) &&
      machine.length === prefix.length + 1 &&
      index >= 0 &&
      index < addresses.labHosts.perTier
    );
  });
}

function networkProblems({ network, settings }: Plan): Problem[] {
  const [least, bits, what] =
    settings.machines.source === "lab" ? [256, 24, "the lab"] : [4, 30, "machines"];
  if (network.last - network.first + 1 >= least) return [];
  return [
    {
      key: "holdfast:machines.network",
      found: network.cidr,
      allowed: `a network with room for ${what}: at least ${least} addresses (/${bits})`,
    },
  ];
}

/** Addresses that the lab needs itself: address -> who has it. */
function labAddresses({ network, settings }: Plan): Map<string, string> {
  if (settings.machines.source !== "lab") return new Map();
  return new Map([
    [addresses.host(network, addresses.labHosts.gateway), "the lab's gateway"],
    [addresses.labRegistryAddress(network), "the lab's registry"],
  ]);
}

function outside(plan: Plan, key: string, address: string): Problem[] {
  if (addresses.isHost(plan.network, address)) return [];
  return [
    {
      key,
      found: address,
      allowed: `an address of a host in holdfast:machines.network (${plan.network.cidr})`,
    },
  ];
}

function addressProblems(plan: Plan): Problem[] {
  const { list } = plan.settings.machines;
  const owners = labAddresses(plan);
  const endpoints = new Map<string, string>();
  // The lab chooses other machines' addresses: they cannot be wrong, only taken by a listed one.
  const chosen = plan.machines.filter(({ key }) => !(key in list));
  for (const { key, address } of chosen) owners.set(address, `machine ${key}`);
  return plan.machines
    .filter(({ key }) => key in list)
    .flatMap(({ key, address, ssh }) => {
      const at = `holdfast:machines.list.${key}`;
      const problems = outside(plan, `${at}.address`, address);
      const owner = owners.get(address);
      if (owner) {
        problems.push({
          key: `${at}.address`,
          found: address,
          allowed: `an address of its own; ${owner} has it`,
        });
      }
      const endpoint = `${ssh.host} port ${ssh.port}`;
      const other = endpoints.get(endpoint);
      if (!owner && other) {
        problems.push({
          key: `${at}.sshHost`,
          found: endpoint,
          allowed: `an SSH server of its own; machine ${other} has it`,
        });
      }
      owners.set(address, `machine ${key}`);
      endpoints.set(endpoint, key);
      return problems;
    });
}

function balancingProblems(plan: Plan, balancer: PlannedTier): Problem[] {
  if (placementOf(plan.settings, balancer.name).count === 0) {
    return plan.backends
      .filter(({ servers }) => servers.length > 1)
      .map(({ tier, servers, endpoint }) => ({
        key: `holdfast:${tier}.count`,
        found: String(servers.length),
        allowed: `1, because holdfast:${balancer.name}.count is 0 and nothing balances endpoint ${endpoint}`,
      }));
  }
  return plan.vips
    ? [...vipProblems(plan, balancer, plan.vips), ...consumerProblems(plan, balancer)]
    : [];
}

function vipProblems(
  plan: Plan,
  balancer: PlannedTier,
  vips: NonNullable<Plan["vips"]>,
): Problem[] {
  const owners = labAddresses(plan);
  for (const { key, address } of plan.machines) owners.set(address, `machine ${key}`);
  const at = (kind: string) => `holdfast:${balancer.name}.${kind}Vip`;
  const problems = (["edge", "internal"] as const).flatMap((kind): Problem[] => {
    const owner = owners.get(vips[kind]);
    return [
      ...outside(plan, at(kind), vips[kind]),
      ...(owner
        ? [
            {
              key: at(kind),
              found: vips[kind],
              allowed: `an address that nothing else has; ${owner} has it`,
            },
          ]
        : []),
    ];
  });
  if (vips.edge === vips.internal) {
    problems.push({
      key: at("internal"),
      found: vips.internal,
      allowed: `an address other than ${at("edge")}`,
    });
  }
  return problems;
}

/** A machine that holds a virtual address would talk to itself instead of to the active one. */
function consumerProblems(plan: Plan, balancer: PlannedTier): Problem[] {
  const held = new Set(balancer.nodes.map(({ machine }) => machine.key));
  const consumers = new Set(
    tiersOf(plan).flatMap(({ listeners }) =>
      listeners
        .filter(({ balanced = [] }) => balanced.length > 0)
        .flatMap(({ from }) => from.filter((source) => source !== "peers")),
    ),
  );
  return tiersOf(plan)
    .filter(({ name }) => consumers.has(name))
    .flatMap(({ name, nodes }) =>
      nodes
        .filter(({ machine }) => held.has(machine.key))
        .map(({ key, machine }) => ({
          key: `holdfast:${name}.machines`,
          found: `${key} on ${machine.key}`,
          allowed: `machines without a load balancer, because ${name} connects to a virtual address`,
        })),
    );
}

/** The settings key that holds the port, where one does. */
function portKey(settings: Settings, tier: string, port: number): string {
  const values = settings[tier] as unknown as Readonly<Record<string, unknown>>;
  const key = Object.keys(values).find((name) => /port$/i.test(name) && values[name] === port);
  return `holdfast:${tier}${key ? `.${key}` : ""}`;
}

const samePort = "a port that nothing else uses there";

/** Who listens on what of which machine: `<machine> <protocol> <port>` -> who. */
function listenerPorts(plan: Plan, clash: (problem: Problem) => void): Map<string, string> {
  const users = new Map<string, string>(
    plan.machines.map(({ key, ssh }) => [`${key} tcp ${ssh.port}`, "the machine's SSH server"]),
  );
  for (const { name: tier, nodes, listeners } of tiersOf(plan)) {
    for (const { machine, key } of nodes) {
      // A plain port is taken even where it is for the machine alone. What is balanced has another
      // for TLS; the rest may speak it on the one port.
      const used = listeners.flatMap(({ name, protocol, port, tls, balanced }) => {
        const ports = tls && (balanced || tls.port !== port) ? [port, tls.port] : [port];
        return ports.map((each) => ({ name, protocol, port: each }));
      });
      for (const { name, protocol, port } of used) {
        if (port === undefined) continue;
        const at = `${machine.key} ${protocol} ${port}`;
        const taken = users.get(at);
        if (taken) {
          clash({
            key: portKey(plan.settings, tier, port),
            found: `${protocol} port ${port} on machine ${machine.key}`,
            allowed: `${samePort}; ${taken} does`,
          });
        }
        users.set(at, `listener ${name} of ${key}`);
      }
    }
  }
  return users;
}

function listenerPortProblems(plan: Plan): Problem[] {
  const problems: Problem[] = [];
  listenerPorts(plan, (problem) => problems.push(problem));
  return problems;
}

/** Load balancers listen on the endpoints' ports; all alike, so that the first tells for all. */
function endpointPortProblems(plan: Plan, balancer: PlannedTier): Problem[] {
  if (!plan.vips) return [];
  const users = listenerPorts(plan, () => undefined);
  const endpoints = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { tier, endpoint, ports, vip } of plan.backends) {
    for (const { port } of ports) {
      const clashes = balancer.nodes.flatMap(({ machine }) => {
        const taken = users.get(`${machine.key} tcp ${port}`);
        return taken ? [`${taken} on machine ${machine.key}`] : [];
      });
      const taken = endpoints.get(`${vip} ${port}`) ?? clashes[0];
      if (taken) {
        problems.push({
          key: portKey(plan.settings, tier, port),
          found: `tcp port ${port} for endpoint ${endpoint}`,
          allowed: `${samePort}; ${taken} does`,
        });
      }
      endpoints.set(`${vip} ${port}`, `endpoint ${endpoint}`);
    }
  }
  return problems;
}
