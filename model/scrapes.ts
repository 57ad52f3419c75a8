import type { StackPlan } from "./stack";
import type { Tiers } from "./tier";

/** A node of which metrics are fetched. */
export interface ScrapeTarget {
  /** `address:port` */
  readonly target: string;
  /** Settings name of its tier. */
  readonly tier: string;
  readonly node: string;
  readonly machine: string;
}

/** The targets of one listener. */
export interface ScrapeJob {
  /** `<tier key>-<listener>`, such as `lb-status`. */
  readonly job: string;
  readonly path: string;
  readonly targets: readonly ScrapeTarget[];
}

/** What is to be scraped: every listener that declares metrics, on every node. */
export function scrapeJobs(plan: StackPlan<Tiers>): readonly ScrapeJob[] {
  return Object.values(plan.tiers).flatMap(({ name: tier, declaration, nodes, listeners }) =>
    listeners.flatMap(({ name, port, metricsPath }): ScrapeJob[] =>
      metricsPath === undefined || port === undefined || nodes.length === 0
        ? []
        : [
            {
              job: `${declaration.key}-${name}`,
              path: metricsPath,
              targets: nodes.map(({ key, machine }) => ({
                target: `${machine.address}:${port}`,
                tier,
                node: key,
                machine: machine.key,
              })),
            },
          ],
    ),
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
