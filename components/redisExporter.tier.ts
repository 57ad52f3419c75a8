import type { z } from "zod";
import type { TierDeclaration } from "../model/tier";
import {
  besideWhereMonitored,
  exporterCommon,
  exporterListener,
  exporterSettings,
} from "./exporterTier";
import { redisExporterDashboard } from "./redisExporter.dashboard";
import { redisExporterMetrics } from "./redisExporter.metrics";

const settings = exporterSettings("Redis and its Sentinels", 9121);

export type RedisExporterSettings = z.output<typeof settings>;

export const redisExporter = {
  ...exporterCommon,
  name: "redisExporter",
  key: "exporter-redis",
  summary:
    "The Redis exporter beside each node of the cache, where the stack has monitoring: what Redis counts of clients, commands and memory, and what its Sentinel sees. Its account may read counters and the log of slow commands, and no key; nothing depends on it.",
  settings,
  beside: besideWhereMonitored("redisCache"),
  asks: ["redis", "sentinel"],
  listeners: exporterListener("metrics", "metrics of Redis and Sentinel", {
    metricsPath: "/scrape",
    metricsTarget: "rediss",
  }),
  metrics: redisExporterMetrics,
  dashboard: redisExporterDashboard,
} as const satisfies TierDeclaration<typeof settings>;
