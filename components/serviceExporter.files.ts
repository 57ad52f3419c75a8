import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import { metricsOverTls, nodeCertificate, nodeKey, webConfigArguments } from "./metricsServer";
import { tlsFolder } from "./pki";
import { nginxStatus } from "./webPool.files";

/** Tiers whose nodes tell of the service on their machine, in the order of `tiers`. */
export const exporterTiers = ["mysqlExporter", "redisExporter", "nginxExporter"] as const;

export type ExporterTier = (typeof exporterTiers)[number];

/** Where an exporter finds the password with which it logs in. */
export const exporterSecret = "/run/secrets/exporter";

/** Name of the exporters' account at every service that has accounts. */
export const exporterAccount = "exporter";

type Plan = StackPlan<typeof tiers>;

const authority = `${tlsFolder}/ca.pem`;

/**
 * Only what somebody looks at: the rest would need an account that sees the statements of others,
 * or costs and tells nothing.
 */
function mysqldExporter(plan: Plan, { machine }: PlannedNode): readonly string[] {
  const { settings } = plan;
  return [
    "prometheus-mysqld-exporter",
    `--web.listen-address=${machine.address}:${settings.mysqlExporter.port}`,
    ...webConfigArguments(plan),
    `--mysqld.address=${machine.address}:${settings.mysqlCluster.port}`,
    `--config.my-cnf=${exporterSecret}`,
    "--collect.global_status",
    "--collect.perf_schema.replication_group_member_stats",
    "--no-collect.global_variables",
    "--no-collect.slave_status",
    "--no-collect.info_schema.innodb_cmp",
    "--no-collect.info_schema.innodb_cmpmem",
    "--no-collect.info_schema.query_response_time",
    "--log.format=json",
  ];
}

/** It is asked about Redis and about Sentinel by turns, and has no target of its own. */
function redisExporter(plan: Plan, { machine }: PlannedNode): readonly string[] {
  const { settings } = plan;
  return [
    "prometheus-redis-exporter",
    `-web.listen-address=${machine.address}:${settings.redisExporter.port}`,
    ...(metricsOverTls(plan)
      ? [
          `-tls-server-cert-file=${nodeCertificate}`,
          `-tls-server-key-file=${nodeKey}`,
          "-tls-server-min-version=TLS1.2",
        ]
      : []),
    "-redis.addr=",
    `-redis.user=${exporterAccount}`,
    `-redis.password-file=${exporterSecret}`,
    `-tls-ca-cert-file=${authority}`,
    // Configuration holds passwords.
    "-config-command=-",
    "-exclude-latency-histogram-metrics",
    "-connection-timeout=3s",
    "-log-format=json",
  ];
}

function nginxExporter(plan: Plan, { machine }: PlannedNode): readonly string[] {
  const { settings } = plan;
  return [
    "prometheus-nginx-exporter",
    `--web.listen-address=${machine.address}:${settings.nginxExporter.port}`,
    ...webConfigArguments(plan),
    `--nginx.scrape-uri=http://127.0.0.1:${nginxStatus.port}${nginxStatus.path}`,
    "--nginx.timeout=3s",
    "--log.format=json",
  ];
}

/** Program and arguments of each tier's nodes. */
export const exporterCommands = {
  mysqlExporter: mysqldExporter,
  redisExporter,
  nginxExporter,
} satisfies Record<ExporterTier, (plan: Plan, node: PlannedNode) => readonly string[]>;

/** How the MySQL exporter logs in: over TLS, at a server that shows a certificate of the stack. */
export function mysqlLogin(password: string): string {
  return `[client]
user = ${exporterAccount}
password = ${password}
ssl-ca = ${authority}
`;
}

/** The passwords of Redis and of Sentinel on the node's machine, by their addresses. */
export function redisLogins(
  { settings }: Plan,
  { machine }: PlannedNode,
  password: string,
): string {
  const { port, sentinelPort } = settings.redisCache;
  const logins = Object.fromEntries(
    [port, sentinelPort].map((each) => [
      `rediss://${exporterAccount}@${machine.address}:${each}`,
      password,
    ]),
  );
  return `${JSON.stringify(logins, null, 2)}\n`;
}
