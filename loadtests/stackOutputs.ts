// Read by the k6 scripts too, which run in k6's own JavaScript engine: no imports in this file.

/** Conditions of k6 by metric: `http_req_duration` -> `p(99)<=500`. */
export type Thresholds = Readonly<Record<string, readonly string[]>>;

/** What the load needs of `pulumi stack output --json`. */
export interface StackOutputs {
  readonly url: string;
  readonly vip?: string;
  readonly caCertificate?: string;
  readonly machines?: Readonly<Record<string, { readonly address: string }>>;
  /** The stack's objectives. */
  readonly slo?: Thresholds;
}

/** Where the load goes. */
export interface LoadTargets {
  /** Origin for plain HTTP, where the stack offers it. */
  readonly http?: string;
  /** Origin for HTTPS, where the stack offers it. */
  readonly https?: string;
  /** Every address that belongs to the stack; no other may be loaded. */
  readonly addresses: readonly string[];
}

/**
 * Reads the targets from a stack's outputs. `httpsPort`: the edge's port for HTTPS. Throws where
 * outputs are missing, or lead to an address that is not the stack's own.
 */
export function targetsOf(outputs: Partial<StackOutputs>, httpsPort = 443): LoadTargets {
  const { url, vip, caCertificate, machines = {} } = outputs;
  if (!url) {
    throw new Error("the stack has no output url: is it deployed? (make up)");
  }
  const [, scheme, host] = /^(https?):\/\/([^/:?#@]+)(?::\d+)?\/?$/.exec(url) ?? [];
  if (!scheme || !host) {
    throw new Error(`output url: found ${url}, allowed: an origin such as http://10.77.0.5`);
  }
  const addresses = [vip, ...Object.values(machines).map(({ address }) => address)].filter(
    (address) => address !== undefined,
  );
  const loopback = /^127(\.\d{1,3}){3}$/.test(host);
  if (!loopback && !addresses.includes(host)) {
    throw new Error(
      `output url: found ${host}, allowed: an address of the stack (${addresses.join(", ") || "none"}); load goes to the stack's own addresses only`,
    );
  }
  const origin = url.replace(/\/$/, "");
  if (scheme === "https") return { https: origin, addresses };
  // Without a load balancer there is no virtual address, and nothing that ends TLS.
  const secure = vip !== undefined && host === vip && caCertificate !== undefined;
  return {
    http: origin,
    ...(secure && { https: `https://${vip}${httpsPort === 443 ? "" : `:${httpsPort}`}` }),
    addresses,
  };
}

/** The conditions of both, the first one's before. */
export function joinThresholds(first: Thresholds, second: Thresholds): Record<string, string[]> {
  const metrics = [...new Set([...Object.keys(first), ...Object.keys(second)])];
  return Object.fromEntries(
    metrics.map((metric) => [metric, [...(first[metric] ?? []), ...(second[metric] ?? [])]]),
  );
}
