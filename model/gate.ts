import { plainBackend, type TlsStage } from "./tls";

/** What decides whether a node is in service, as recorded in its gate. */
export interface Service {
  /** The node says itself that it is ready, on this port of its machine's loopback (`/status`). */
  readonly statusPort?: number;
  /** The image's health check passes, for programs that say no more about themselves. */
  readonly healthCheck?: boolean;
  /** The node answers this path with 200 on its own machine. */
  readonly probe?: {
    readonly port: number;
    readonly path: string;
    /** Asked for on the loopback address: it may listen on no other. */
    readonly loopback?: boolean;
  };
  /** Backends in which every load balancer that answers must have the node UP. */
  readonly backends?: readonly string[];
  /** Where the nodes speak TLS: it counts only where the load balancers reach it so. */
  readonly tls?: Exclude<TlsStage, "off">;
  /**
   * How others reach the port on which the node tells its state. Absent where it has none, and in
   * what was recorded before there was TLS.
   */
  readonly metricsTls?: TlsStage;
  /**
   * Generation of the passwords that the node uses. Absent where it has none, and in what older
   * versions recorded.
   */
  readonly passwords?: number;
  /** Backends of which one is enough: a database member is in that of its role. */
  readonly oneOfBackends?: readonly string[];
}

/** How a node counts as in service that speaks TLS as its settings say. */
export function tlsService(
  probe: { readonly port: number; readonly path: string },
  tls: TlsStage,
): Pick<Service, "probe" | "tls"> {
  // With TLS the plain port may be left on the loopback address alone.
  return tls === "off" ? { probe } : { probe: { ...probe, loopback: true }, tls };
}

/** A server line of a load balancer. */
export interface ServerState {
  readonly backend: string;
  readonly server: string;
  readonly status: string;
}

/** What was seen of one node. Undefined parts could not be seen. */
export interface NodeObservation {
  readonly node: string;
  /** False where its machine did not answer. */
  readonly reachable: boolean;
  readonly container:
    | {
        readonly state: string;
        readonly restarts: number;
        readonly exitCode: number;
        /** What its health check says, where it has one: `healthy`. */
        readonly health?: string | undefined;
      }
    | undefined;
  readonly ready: boolean | undefined;
  /** The node's own reason for not being ready, where it gives one. */
  readonly reason?: string | undefined;
  /** True where it waits for the first start of the group that it belongs to. */
  readonly forming?: boolean | undefined;
  readonly probe: number | undefined;
}

/** What was seen of a load balancer: undefined servers mean that it did not answer. */
export interface BalancerObservation {
  readonly node: string;
  readonly servers: readonly ServerState[] | undefined;
}

export type Verdict =
  | { readonly kind: "in service" }
  | { readonly kind: "not in service"; readonly reason: string; readonly hopeless: boolean };

/** Restarts after which a new container is taken for broken. */
export const crashLoopRestarts = 3;

const out = (reason: string, hopeless = false): Verdict => ({
  kind: "not in service",
  reason,
  hopeless,
});

/** What a page says, as one line that fits into a message; undefined where it says nothing. */
export function firstWords(page: string): string | undefined {
  const line = page.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.slice(0, 300) || undefined;
}

/**
 * Is the node in service, seen from itself and from the load balancers that are its users?
 * `hopeless` means that waiting longer cannot help.
 */
export function judge(
  service: Service,
  seen: NodeObservation,
  balancers: readonly BalancerObservation[],
): Verdict {
  if (!seen.reachable) return out("its machine does not answer over SSH");
  if (!seen.container) return out("its container does not exist", true);
  const { state, restarts, exitCode } = seen.container;
  if (state !== "running") {
    return restarts >= crashLoopRestarts
      ? out(`its container stopped ${restarts} times, last with exit code ${exitCode}`, true)
      : out(`its container is ${state} (exit code ${exitCode})`);
  }
  if (service.healthCheck && seen.container.health !== "healthy") {
    return out(`its health check says ${seen.container.health ?? "nothing"}`);
  }
  if (service.statusPort !== undefined && seen.ready !== true) {
    return out(`it reports that it is not ready${seen.reason ? `: ${seen.reason}` : ""}`);
  }
  if (service.probe && seen.probe !== 200) {
    const { path, port } = service.probe;
    return out(
      seen.probe === undefined
        ? `nothing answers ${path} on port ${port}`
        : `${path} on port ${port} answers ${seen.probe}${seen.reason ? `: ${seen.reason}` : ""}`,
    );
  }
  if (balancers.length === 0) return { kind: "in service" };
  const answering = balancers.filter(({ servers }) => servers);
  const all = service.backends ?? [];
  const oneOf = service.oneOfBackends ?? [];
  if (all.length + oneOf.length > 0 && answering.length === 0)
    return out("no load balancer answers");
  for (const balancer of answering) {
    const complaints = all.map((backend) =>
      complaint(seen.node, balancer, backend, service.tls !== undefined),
    );
    const first = complaints.find((text) => text !== undefined);
    if (first) return out(first);
    const choices = oneOf.map((backend) => complaint(seen.node, balancer, backend));
    if (choices.length > 0 && choices.every((text) => text !== undefined)) {
      return out(choices.join(", "));
    }
  }
  return { kind: "in service" };
}

/**
 * Why the load balancer does not send the node what comes for that backend, if it does not. While a
 * tier is switched to TLS it may be sent that without.
 */
function complaint(
  node: string,
  { node: balancer, servers }: BalancerObservation,
  backend: string,
  onlyTls = false,
) {
  const lineIn = (name: string) =>
    servers?.find((server) => server.backend === name && server.server === node);
  const line = lineIn(backend);
  if (!line) return `${balancer} does not know it in backend ${backend}`;
  if (line.status === "UP") return undefined;
  if (!onlyTls && lineIn(plainBackend(backend))?.status === "UP") return undefined;
  return `${balancer} has it ${line.status} in ${backend}`;
}

/**
 * May a member of a group count as made while it waits for the group's first start? Only while no
 * other member is further: the group is formed once all members are there.
 */
export function mayWaitToForm(own: NodeObservation, others: readonly NodeObservation[]): boolean {
  return (
    own.forming === true &&
    others.every(
      ({ reachable, container, forming }) => !reachable || !container || forming === true,
    )
  );
}

/**
 * May a node be stopped? `own` is its own verdict, `others` those of the rest of its tier.
 * Returns undefined where it may, else the reason with the nodes to repair.
 */
export function refusal(
  node: string,
  own: Verdict,
  others: readonly { readonly node: string; readonly verdict: Verdict }[],
  /** Members that must stay in service: 1 in a pool, a majority of all where nodes vote. */
  required: number,
  stack: string,
): string | undefined {
  if (own.kind !== "in service") return undefined;
  if (others.length === 0) return undefined;
  const serving = others.filter(({ verdict }) => verdict.kind === "in service");
  if (serving.length >= Math.min(required, others.length)) return undefined;
  const broken = others.flatMap(({ node: key, verdict }) =>
    verdict.kind === "in service" ? [] : [`${key}: ${verdict.reason}`],
  );
  return [
    `${node} stays: stopping it would leave ${serving.length} of the ${Math.min(required, others.length)} other nodes that must serve`,
    ...broken.map((line) => `  ${line}`),
    `repair first: ${others
      .filter(({ verdict }) => verdict.kind !== "in service")
      .map(({ node: key }) => `make repair NODE=${key} STACK=${stack}`)
      .join(", ")}`,
  ].join("\n");
}
