import { z } from "zod";
import type { Alert } from "./alerts";
import type { DashboardDeclaration } from "./dashboards";
import type { FollowedMetric } from "./metrics";
import type { Problem, Settings } from "./settings";
import type { StackPlan } from "./stack";

/**
 * Who may open connections to a listener: anyone (`public`), the operator (`admin`), the other
 * nodes of the same tier (`peers`, past any load balancer), or the nodes of the tier with that
 * settings name.
 */
export type Source = "public" | "admin" | "peers" | (string & {});

/** How a tier's nodes are offered behind the load balancer. */
export interface Balanced {
  /** Name of the endpoint that other tiers use, and of the HAProxy backend. */
  readonly endpoint: string;
  /** `edge`: for the world; `internal`: for other tiers. */
  readonly vip: "edge" | "internal";
  /** Ports on the VIP, first the one that tiers take. `tls`: the load balancer ends TLS there. */
  readonly ports: readonly { readonly port: number; readonly tls: boolean }[];
  readonly mode: "http" | "tcp";
  /** Active check: status 200 means in service, 404 means draining. Port defaults to the listener's. */
  readonly check: { readonly path: string; readonly port?: number };
  /** True where a server that left service must not keep its open sessions (a demoted database). */
  readonly cutSessionsWhenDown?: boolean;
  /** Endpoint whose servers take the connections while none of this one's is in service. */
  readonly fallback?: string;
}

/** A port, or an IP protocol, on which every node of a tier accepts connections. */
export interface Listener {
  readonly name: string;
  readonly protocol: "tcp" | "udp" | "vrrp";
  /** Port; absent for protocols without ports. */
  readonly port?: number;
  /**
   * Where it speaks TLS, with a certificate for the node's key and the address of its machine; the
   * port may be the same. `required`: without TLS it is reached from its own machine alone.
   */
  readonly tls?: { readonly port: number; readonly required: boolean };
  /** True where one port takes TLS and plain text until TLS is required: an agent's. */
  readonly eitherWay?: boolean;
  readonly from: readonly Source[];
  /** One line for people: what it carries. */
  readonly purpose: string;
  /** Path of the Prometheus metrics, where the listener offers them. */
  readonly metricsPath?: string;
  /**
   * Where each of those that the tier asks has metrics of its own: scheme of the parameter `target`
   * that names one, such as `rediss` for `rediss://10.77.0.51:6379`.
   */
  readonly metricsTarget?: string;
  /** Other paths that machines ask for all the time; they tell nothing about users. */
  readonly polledPaths?: readonly string[];
  /** Endpoints under which the load balancers offer it. */
  readonly balanced?: readonly Balanced[];
}

/** What users lose when the tier is gone. */
export type ServiceClass = "critical" | "important" | "non-critical";

/** Addresses that move between machines; undefined where the settings must say and do not. */
export interface VirtualAddresses {
  readonly edge: string | undefined;
  readonly internal: string | undefined;
}

/** Where the nodes of a tier run; part of every tier's settings. */
export interface Placement {
  readonly count: number;
  readonly machines?: readonly string[] | undefined;
}

/** A zod object whose values hold a placement, unless the tier is on every machine. */
export type TierSchema = z.ZodType<Partial<Placement>> & z.ZodObject;

/**
 * All that shared code knows of a tier. It is folded into the settings reference, the firewall,
 * the load balancer's backends, the diagram and the reports; nothing of it is told twice.
 */
export interface TierDeclaration<S extends TierSchema = TierSchema> {
  /** Settings key under `holdfast:`. */
  readonly name: string;
  /** First part of node keys: `web` gives `web-a`. */
  readonly key: string;
  /** What it is, why it is there, what happens when a node dies: one paragraph for people. */
  readonly summary: string;
  readonly serviceClass: ServiceClass;
  readonly settings: S;
  /** Last octet of the first node's lab machine; a tier has ten. Absent where it has none of its own. */
  readonly labHost?: number;
  /**
   * For a tier without a placement: whether every machine that carries nodes of others carries one
   * of its own, too, called `<key>-<machine>`. What it does is for its machine alone.
   */
  everyMachine?(settings: Settings): boolean;
  /**
   * For a tier without a placement: settings name of the tier beside whose nodes its own stand, one
   * beside each on the same machine; undefined where it has none. `all`: the settings of the stack.
   */
  beside?(settings: z.output<S>, all: Settings): string | undefined;
  /**
   * Names of the listeners of that tier that each node asks, those of its own machine: past load
   * balancers, and past the firewall, which what a machine says to itself never meets.
   */
  readonly asks?: readonly string[];
  /**
   * The image of others that the nodes' own is made from, for a tier without which a stack is whole:
   * where this computer cannot have it the stack goes without the tier, unless it is required.
   * Settings `wanted` and `image` of the tier say so.
   */
  optionalImage?(settings: z.output<S>): { readonly name: string; readonly required: boolean };
  /** True where the nodes fetch the metrics of every listener that has some. */
  readonly collectsMetrics?: boolean;
  /** True where nodes vote, so that an even number of them is a mistake. */
  readonly votes?: boolean;
  /** True where the nodes keep data that nothing else holds: losing all of them loses it. */
  readonly holdsData?: boolean;
  /** What softens the loss of the whole tier, one sentence for people. */
  readonly withoutIt?: string;
  /**
   * The virtual addresses that the tier's nodes hold, for the one tier that does. `host(n)` is the
   * n-th address of the lab's network, or undefined in an inventory.
   */
  vips?(settings: z.output<S>, host: (n: number) => string | undefined): VirtualAddresses;
  listeners(settings: z.output<S>, all: Settings): readonly Listener[];
  /** What its listeners tell that is worth following; the list for people is made from it. */
  readonly metrics?: readonly FollowedMetric[];
  /** What is to be told when the tier does not do its work; see alertsStack.ts. */
  alerts?(settings: z.output<S>): readonly Alert[];
  /** Port on which a node tells its own state to its machine (`/status`), where it does. */
  statusPort?(settings: z.output<S>): number;
  /**
   * What people see of it; see dashboards.ts. What stands beside another tier tells of that one and
   * is shown there.
   */
  readonly dashboard?: DashboardDeclaration<z.output<S>>;
  /** A generated secret of the tier that no rotation changes, and why: a clause for people. */
  readonly neverRotated?: string;
  /** Whether clients outside the stack verify the tier by the stack's own authority. */
  trustedOutside?(settings: z.output<S>): boolean;
  /** Contradictions between the tier's settings and others that it alone knows of. */
  problems?(plan: StackPlan): readonly Problem[];
}

/** Every declared tier by settings name. */
export type Tiers = Readonly<Record<string, TierDeclaration>>;

/** `a`, `b`, ... for the n-th node; a tier has at most 26. */
export function letter(index: number): string {
  return String.fromCharCode("a".charCodeAt(0) + index);
}

/** A port number with its documentation. */
export function port(description: string, fallback: number) {
  return z.int().min(1).max(65535).default(fallback).describe(description);
}

/** The placement keys of a tier's settings, to be spread into its schema. */
export function placement(count: { min: number; max: number; default: number }) {
  return {
    count: z
      .int()
      .min(count.min)
      .max(count.max)
      .default(count.default)
      .describe("Number of nodes."),
    machines: z
      .array(z.string())
      .readonly()
      .optional()
      .describe(
        "Keys of the machines that carry the nodes, in order, at least as many as nodes. Default: in the lab a machine of its own for each node (`vm-<node key>`); an inventory has none.",
      ),
  };
}
