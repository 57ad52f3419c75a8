import { z } from "zod";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { mysqlAlerts } from "./mysqlCluster.alerts";
import { mysqlDashboard } from "./mysqlCluster.dashboard";
import { mysqlMetrics } from "./mysqlCluster.metrics";

const settings = z.strictObject({
  ...placement({ min: 0, max: 9, default: 0 }),
  port: port("Port of the database server.", 3306),
  agentPort: port("Port of the member agent: health checks, metrics, its report to peers.", 9200),
  primaryPort: port("Port of endpoint `mysql-primary` on the internal virtual address.", 3306),
  replicasPort: port("Port of endpoint `mysql-replicas` on the internal virtual address.", 3307),
  database: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,62}$/, {
      error: "a database's name has lower-case letters, digits and underscores",
    })
    .default("app")
    .describe("Name of the application's database."),
  maxConnections: z.int().min(20).max(10000).default(200).describe("Sessions that a member holds."),
  bufferPoolMegabytes: z.int().min(32).default(128).describe("InnoDB buffer pool in MiB."),
  memoryMegabytes: z.int().min(512).default(1024).describe("Memory limit of a node in MiB."),
  binaryLogHours: z
    .int()
    .min(1)
    .default(72)
    .describe("Hours that members keep binary logs; longer than any member stays away."),
  maxApplyQueue: z
    .int()
    .min(0)
    .default(500)
    .describe("Transactions waiting to be applied from which a replica gets no more reads."),
  drainSeconds: z
    .int()
    .min(5)
    .max(300)
    .default(30)
    .describe("Seconds that a stopping member may take to hand over and to let sessions end."),
  startTimeoutSeconds: z
    .int()
    .min(30)
    .max(86400)
    .default(600)
    .describe("Seconds that a new member may take to copy the data and to catch up."),
});

export type MysqlClusterSettings = z.output<typeof settings>;

/** Names of the endpoints that the cluster offers. */
export const mysqlEndpoints = { primary: "mysql-primary", replicas: "mysql-replicas" } as const;

function listeners(values: MysqlClusterSettings): readonly Listener[] {
  const common = { vip: "internal", mode: "tcp", cutSessionsWhenDown: true } as const;
  return [
    {
      name: "mysql",
      protocol: "tcp",
      port: values.port,
      from: ["appPool", "backup", "peers"],
      purpose: "queries, and replication within the group",
      balanced: [
        {
          ...common,
          endpoint: mysqlEndpoints.primary,
          ports: [{ port: values.primaryPort, tls: false }],
          check: { path: "/primary", port: values.agentPort },
        },
        {
          ...common,
          endpoint: mysqlEndpoints.replicas,
          ports: [{ port: values.replicasPort, tls: false }],
          check: { path: "/replica", port: values.agentPort },
          fallback: mysqlEndpoints.primary,
        },
      ],
    },
    {
      name: "agent",
      protocol: "tcp",
      port: values.agentPort,
      eitherWay: true,
      from: ["peers"],
      purpose: "members tell each other what they hold",
      metricsPath: "/metrics",
    },
  ];
}

export const mysqlCluster = {
  name: "mysqlCluster",
  key: "mysql",
  summary:
    "MySQL Group Replication with one primary: a write is acknowledged when a majority of the members has it. When the primary dies the others elect a new one within ten seconds and no acknowledged write is lost; a planned stop hands over first. A member with an empty disk copies the data from another. With one member there is no failover.",
  serviceClass: "critical",
  settings,
  labHost: 41,
  votes: true,
  holdsData: true,
  listeners,
  metrics: mysqlMetrics,
  alerts: mysqlAlerts,
  statusPort: ({ agentPort }) => agentPort,
  dashboard: mysqlDashboard,
} as const satisfies TierDeclaration<typeof settings>;
