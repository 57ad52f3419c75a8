import { endOfChain } from "./certificate";
import { metricsFolder } from "./deployMarkers";

/**
 * Where a node has its certificate and the authorities that it trusts, in its container: nodes of
 * the stack's own, and an application.
 */
export const certificateFiles = [
  ["/etc/holdfast/tls/node.pem", "/etc/holdfast/tls/ca.pem"],
  ["/run/secrets/tls.pem", "/run/secrets/ca.pem"],
] as const;

/** File on a node's machine that says when the first of the node's certificates ends. */
export const certificateMetricFile = (node: string) => `${metricsFolder}/certificate-${node}.prom`;

/** Its content, from the node's certificates in PEM; undefined where there is none to be read. */
export function certificateMetric(node: string, pem: string): string | undefined {
  let end: Date;
  try {
    end = endOfChain(pem);
  } catch {
    return undefined;
  }
  const name = "holdfast_certificate_expiry_timestamp_seconds";
  return [
    `# HELP ${name} When the first of the certificates of this node ends.`,
    `# TYPE ${name} gauge`,
    `${name}{certificate="${node}"} ${end.getTime() / 1000}`,
    "",
  ].join("\n");
}
