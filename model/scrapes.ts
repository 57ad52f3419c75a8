import { askedListeners, type PlannedTier, type StackPlan } from "./stack";
import type { Listener, Tiers } from "./tier";
import { openPorts } from "./tls";

/** A node of which metrics are fetched. */
export interface ScrapeTarget {
  /** `address:port` */
  readonly target: string;
  /** Settings name of its tier. */
  readonly tier: string;
  readonly node: string;
  readonly machine: string;
  /** What it is asked about, `scheme://address:port`, where it tells of more than one. */
  readonly about?: string;
}

/** The targets of one listener. */
export interface ScrapeJob {
  /** `<tier key>-<listener>`, such as `lb-status`; the listener is the one that it tells of. */
  readonly job: string;
  readonly path: string;
  /** Over TLS; the certificates are valid for the targets' addresses. */
  readonly tls: boolean;
  readonly targets: readonly ScrapeTarget[];
}

function jobsOf(
  tier: PlannedTier,
  listener: Listener,
  asked: readonly Listener[],
): readonly ScrapeJob[] {
  const { name, metricsPath, metricsTarget } = listener;
  const { port, tls = false } = openPorts(listener)[0] ?? {};
  if (metricsPath === undefined || port === undefined || tier.nodes.length === 0) return [];
  const job = (of: string, about?: (address: string) => string): ScrapeJob => ({
    job: `${tier.declaration.key}-${of}`,
    path: metricsPath,
    tls,
    targets: tier.nodes.map(({ key, machine }) => ({
      target: `${machine.address}:${port}`,
      tier: tier.name,
      node: key,
      machine: machine.key,
      ...(about && { about: about(machine.address) }),
    })),
  });
  return metricsTarget === undefined
    ? [job(name)]
    : asked.map((one) => job(one.name, (address) => `${metricsTarget}://${address}:${one.port}`));
}

/** What is to be scraped: every listener that declares metrics, on every node. */
export function scrapeJobs(plan: StackPlan<Tiers>): readonly ScrapeJob[] {
  return Object.values(plan.tiers).flatMap((tier) =>
    tier.listeners.flatMap((listener) => jobsOf(tier, listener, askedListeners(plan, tier))),
  );
}

const withoutQuery = (path: string) => path.split("?")[0] ?? path;

/** Paths of the application that machines ask for: health, readiness, metrics. Sorted, each once. */
export function polledPaths(plan: StackPlan<Tiers>): readonly string[] {
  const listeners = Object.values(plan.tiers).flatMap((tier) => tier.listeners);
  const paths = listeners
    .filter(({ balanced = [] }) => balanced.some(({ mode }) => mode === "http"))
    .flatMap(({ metricsPath, polledPaths: others = [], balanced = [] }) => [
      ...(metricsPath === undefined ? [] : [metricsPath]),
      ...others,
      ...balanced.map(({ check }) => check.path),
    ]);
  return [...new Set(paths.map(withoutQuery))].sort();
}

/** Addresses under which the world reaches the stack, with that path: `https://10.77.0.5/`. */
export function edgeUrls(plan: StackPlan<Tiers>, path: string): readonly string[] {
  const url = (tls: boolean, address: string, port: number) => {
    const usual = port === (tls ? 443 : 80);
    return `${tls ? "https" : "http"}://${address}${usual ? "" : `:${port}`}${path}`;
  };
  return plan.backends
    .filter(({ vip, mode }) => vip === "edge" && mode === "http")
    .flatMap(({ address, ports, servers }) =>
      plan.vips
        ? ports.map(({ port, tls }) => url(tls, address, port))
        : servers.map((server) => url(false, server.address, server.port)),
    );
}
