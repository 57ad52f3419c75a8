import type { StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { tlsFolder } from "./pki";

/*
 * How programs that tell metrics, and cannot take TLS and plain text on one port, come to serve over
 * TLS: exporters, Prometheus and its kin.
 */

/** Whether they do. */
export const metricsOverTls = ({ settings }: StackPlan<Tiers>): boolean =>
  settings.pki.metricsTls === "require";

/** Files of a node's certificate and its key in the container. */
export const nodeCertificate = `${tlsFolder}/node.pem`;
export const nodeKey = `${tlsFolder}/node.key`;

const webConfig = "/etc/holdfast/web.yml";

/** The argument that names `webConfigFiles` to a program of Prometheus' kin. */
export const webConfigArguments = (plan: StackPlan<Tiers>): readonly string[] =>
  metricsOverTls(plan) ? [`--web.config.file=${webConfig}`] : [];

/** Path -> content; nothing where metrics are told without TLS. */
export function webConfigFiles(plan: StackPlan<Tiers>): Readonly<Record<string, string>> {
  if (!metricsOverTls(plan)) return {};
  const content = `tls_server_config:
  cert_file: ${nodeCertificate}
  key_file: ${nodeKey}
  min_version: TLS12
`;
  return { [webConfig]: content };
}
