import type { z } from "zod";
import type { TierDeclaration } from "../model/tier";
import {
  besideWhereMonitored,
  exporterCommon,
  exporterListener,
  exporterSettings,
} from "./exporterTier";
import { mysqlExporterDashboard } from "./mysqlExporter.dashboard";
import { mysqlExporterMetrics } from "./mysqlExporter.metrics";

const settings = exporterSettings("the database servers", 9104);

export type MysqlExporterSettings = z.output<typeof settings>;

export const mysqlExporter = {
  ...exporterCommon,
  name: "mysqlExporter",
  key: "exporter-mysql",
  summary:
    "The MySQL exporter beside each member of the database, where the stack has monitoring: what the server counts of statements, threads, InnoDB and the group. Its account may read counters and no row; nothing depends on it.",
  settings,
  beside: besideWhereMonitored("mysqlCluster"),
  asks: ["mysql"],
  listeners: exporterListener("server", "metrics of the database server"),
  metrics: mysqlExporterMetrics,
  dashboard: mysqlExporterDashboard,
} as const satisfies TierDeclaration<typeof settings>;
