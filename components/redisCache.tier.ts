import { z } from "zod";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { redisAlerts } from "./redisCache.alerts";
import { redisDashboard } from "./redisCache.dashboard";
import { redisMetrics } from "./redisCache.metrics";

const settings = z.strictObject({
  ...placement({ min: 0, max: 9, default: 0 }),
  port: port("Port of Redis.", 6379),
  sentinelPort: port("Port of the Sentinels, which tell clients who is master.", 26379),
  agentPort: port("Port of the agent: health and metrics.", 9201),
  masterName: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, {
      error: "the master's name has lower-case letters, digits and hyphens",
    })
    .default("cache")
    .describe("Name under which clients ask the Sentinels for the master."),
  maxMemoryMegabytes: z
    .int()
    .min(16)
    .default(128)
    .describe("MiB of data that the cache holds; beyond it what is read least goes."),
  drainSeconds: z
    .int()
    .min(2)
    .max(60)
    .default(10)
    .describe("Seconds that a stopping master may take to hand over."),
  startTimeoutSeconds: z
    .int()
    .min(15)
    .max(3600)
    .default(90)
    .describe("Seconds that a new node may take to copy the data from the master."),
});

export type RedisCacheSettings = z.output<typeof settings>;

function listeners(values: RedisCacheSettings): readonly Listener[] {
  return [
    {
      name: "redis",
      protocol: "tcp",
      port: values.port,
      from: ["appPool", "peers"],
      purpose: "cached data, and its replication",
    },
    {
      name: "sentinel",
      protocol: "tcp",
      port: values.sentinelPort,
      from: ["appPool", "peers"],
      purpose: "who is master",
    },
    {
      name: "agent",
      protocol: "tcp",
      port: values.agentPort,
      eitherWay: true,
      from: ["peers"],
      purpose: "health and metrics",
      metricsPath: "/metrics",
    },
  ];
}

export const redisCache = {
  name: "redisCache",
  key: "redis",
  summary:
    "Redis with Sentinels: a cache that the application can do without, only slower. The Sentinels name the master; when it dies they make a replica the master within a few seconds, and a planned stop hands over first. Nothing is kept on disk, so after a loss of all nodes it fills anew. A node that sees no majority of the Sentinels keeps clients away. With one node there is no failover, and 0 nodes mean no cache.",
  serviceClass: "important",
  settings,
  labHost: 51,
  votes: true,
  withoutIt: "The application works without the cache, slower.",
  listeners,
  metrics: redisMetrics,
  alerts: redisAlerts,
  statusPort: ({ agentPort }) => agentPort,
  dashboard: redisDashboard,
} as const satisfies TierDeclaration<typeof settings>;
