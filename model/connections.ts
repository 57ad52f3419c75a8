import * as addresses from "./addresses";
import {
  askedListeners,
  neighbourOf,
  type PlannedNode,
  type PlannedTier,
  type StackPlan,
} from "./stack";
import type { Listener, Source, Tiers } from "./tier";
import { openPorts } from "./tls";

/** One allowed connection: somebody may open it to one port of one machine. */
export interface Connection {
  /** Who connects: `public`, `admin`, or the settings name of a tier. */
  readonly source: Source;
  /** Where from: a CIDR, `/32` for a node's machine. */
  readonly from: string;
  /** Key of the connecting node; undefined for `public` and `admin`. */
  readonly fromNode: string | undefined;
  /** Settings name of the tier that listens; `machines` for the machine itself. */
  readonly tier: string;
  /** Key of the machine that listens. */
  readonly to: string;
  /** Key of the node that listens; undefined for the machine itself. */
  readonly toNode: string | undefined;
  readonly protocol: Listener["protocol"];
  /** Port; undefined for protocols without ports. */
  readonly port: number | undefined;
  /** Name of the listener; on a load balancer's virtual address that of the endpoint. */
  readonly listener: string;
  /** Endpoint that the connection belongs to, where it is balanced. */
  readonly endpoint: string | undefined;
  readonly purpose: string;
}

/** What a machine's firewall lets in. `port` is undefined for VRRP alone. */
export interface AllowedElement {
  /** CIDR without host bits, such as `10.77.0.11/32`. */
  readonly source: string;
  readonly protocol: Listener["protocol"];
  readonly port: number | undefined;
}

interface Party {
  readonly source: Source;
  readonly from: string;
  readonly node: string | undefined;
}

const everyone = "0.0.0.0/0";

function partyOf(tier: string, { key, machine }: PlannedNode): Party {
  return { source: tier, from: `${machine.address}/32`, node: key };
}

function partiesOf(plan: StackPlan<Tiers>, listening: string, source: Source): Party[] {
  switch (source) {
    case "public":
      return [{ source, from: everyone, node: undefined }];
    case "admin":
      return plan.settings.machines.adminNetworks.map((cidr) => ({
        source,
        from: addresses.network(cidr).cidr,
        node: undefined,
      }));
    default: {
      const name = source === "peers" ? listening : source;
      return plan.tiers[name]?.nodes.map((node) => partyOf(name, node)) ?? [];
    }
  }
}

/** The tier whose nodes hold the virtual addresses; undefined where nothing is balanced. */
function balancerOf(plan: StackPlan<Tiers>): PlannedTier | undefined {
  return (
    plan.vips && Object.values(plan.tiers).find(({ declaration }) => declaration.vips !== undefined)
  );
}

/**
 * Every connection that the stack allows, in the order of the tiers, SSH to the machines last.
 * All that is not in this list is closed.
 */
export function connections(plan: StackPlan<Tiers>): Connection[] {
  const balancer = balancerOf(plan);
  const found: Connection[] = [];

  const allow = (
    parties: readonly Party[],
    tier: PlannedTier,
    what: Pick<Connection, "protocol" | "port" | "listener" | "endpoint" | "purpose">,
  ) => {
    for (const { key, machine } of tier.nodes) {
      for (const { source, from, node } of parties) {
        if (node === key) continue;
        found.push({
          source,
          from,
          fromNode: node,
          tier: tier.name,
          to: machine.key,
          toNode: key,
          ...what,
        });
      }
    }
  };

  const collectors = Object.values(plan.tiers).filter(
    ({ declaration }) => declaration.collectsMetrics,
  );
  /** Metrics are fetched from each node itself, whatever stands in front of it. */
  const allowCollectors = (tier: PlannedTier, listener: Listener) => {
    const { name, protocol, metricsPath } = listener;
    const [first] = openPorts(listener);
    if (metricsPath === undefined || !first) return;
    const parties = collectors
      .filter((collector) => collector !== tier)
      .flatMap((collector) => collector.nodes.map((node) => partyOf(collector.name, node)));
    const what = { listener: name, endpoint: undefined, purpose: "metrics" };
    allow(parties, tier, { protocol, port: first.port, ...what });
  };

  /** Each node of a tier that stands beside another asks that one's node on its own machine. */
  const allowNeighbours = (tier: PlannedTier, { name, protocol, port }: Listener) => {
    const asking = Object.values(plan.tiers).filter(
      (other) =>
        neighbourOf(plan, other) === tier &&
        askedListeners(plan, other).some((asked) => asked.name === name),
    );
    for (const other of asking) {
      for (const { key, machine } of tier.nodes) {
        const party = other.nodes
          .filter((node) => node.machine.key === machine.key)
          .map((node) => partyOf(other.name, node));
        const what = { listener: name, endpoint: undefined, purpose: "what it tells of itself" };
        allow(party, { ...tier, nodes: [{ key, machine }] }, { protocol, port, ...what });
      }
    }
  };

  for (const tier of Object.values(plan.tiers)) {
    for (const listener of tier.listeners) {
      const { name, protocol, port, balanced = [], purpose } = listener;
      const allowPorts = (from: readonly Party[], endpoint: string | undefined) => {
        for (const open of openPorts(listener)) {
          allow(from, tier, { protocol, port: open.port, listener: name, endpoint, purpose });
        }
      };
      allowNeighbours(tier, listener);
      allowCollectors(tier, listener);
      const parties = (from: readonly Source[]) =>
        from.flatMap((source) => partiesOf(plan, tier.name, source));
      const [only] = balanced;
      if (!only || !balancer) {
        allowPorts(parties(listener.from), only?.endpoint);
        continue;
      }
      // Peers mean each other, not whoever the load balancers choose.
      const peers = parties(listener.from.filter((source) => source === "peers"));
      allowPorts(peers, undefined);
      const sources = parties(listener.from.filter((source) => source !== "peers"));
      // A tier without nodes offers nothing: its ports stay closed on the load balancers too.
      if (tier.nodes.length === 0) continue;
      const balancers = balancer.nodes.map((node) => partyOf(balancer.name, node));
      for (const { endpoint, ports, check } of balanced) {
        for (const { port: offered } of ports) {
          allow(sources, balancer, {
            protocol,
            port: offered,
            listener: endpoint,
            endpoint,
            purpose,
          });
        }
        allowPorts(balancers, endpoint);
        if (check.port !== undefined && check.port !== port) {
          allow(balancers, tier, {
            protocol: "tcp",
            port: check.port,
            listener: name,
            endpoint,
            purpose: `health checks of endpoint ${endpoint}`,
          });
        }
      }
    }
  }
  for (const machine of plan.machines) {
    for (const { source, from } of partiesOf(plan, "machines", "admin")) {
      found.push({
        source,
        from,
        fromNode: undefined,
        tier: "machines",
        to: machine.key,
        toNode: undefined,
        protocol: "tcp",
        port: machine.ssh.port,
        listener: "ssh",
        endpoint: undefined,
        purpose: "deployment and operation over SSH",
      });
    }
  }
  return found;
}

const sameService = (a: AllowedElement, b: AllowedElement) =>
  a.protocol === b.protocol && a.port === b.port;

function order(a: AllowedElement, b: AllowedElement): number {
  return (
    a.protocol.localeCompare(b.protocol) ||
    (a.port ?? 0) - (b.port ?? 0) ||
    addresses.network(a.source).first - addresses.network(b.source).first ||
    addresses.network(b.source).last - addresses.network(a.source).last
  );
}

/** Sorted, and without what a wider source already allows: interval sets refuse overlaps. */
export function minimal(elements: readonly AllowedElement[]): AllowedElement[] {
  return [...elements].sort(order).reduce<AllowedElement[]>((kept, element) => {
    // Wider sources sort first, so that whatever covers this one has been kept already.
    const covered = kept.some(
      (wider) => sameService(wider, element) && addresses.covers(wider.source, element.source),
    );
    return covered ? kept : [...kept, element];
  }, []);
}

/**
 * What the firewall of a machine lets in, as short as possible. What a machine says to itself never
 * meets its firewall and is left out.
 */
export function allowedElements(plan: StackPlan<Tiers>, machineKey: string): AllowedElement[] {
  const own = plan.machines.find(({ key }) => key === machineKey);
  if (!own) {
    throw new Error(
      `found machine ${machineKey}, allowed: ${plan.machines.map(({ key }) => key).join(", ")}`,
    );
  }
  return minimal(
    connections(plan)
      .filter(({ to, from }) => to === machineKey && from !== `${own.address}/32`)
      .map(({ from, protocol, port }) => ({ source: from, protocol, port })),
  );
}
