import type { z } from "zod";
import type { TierDeclaration } from "../model/tier";
import {
  besideWhereMonitored,
  exporterCommon,
  exporterListener,
  exporterSettings,
} from "./exporterTier";
import { nginxExporterDashboard } from "./nginxExporter.dashboard";
import { nginxExporterMetrics } from "./nginxExporter.metrics";

const settings = exporterSettings("nginx", 9113);

export type NginxExporterSettings = z.output<typeof settings>;

export const nginxExporter = {
  ...exporterCommon,
  name: "nginxExporter",
  key: "exporter-nginx",
  summary:
    "The nginx exporter beside each web node, where the stack has monitoring: connections and requests as nginx counts them. It reads nginx's own page on the machine's loopback address, and nothing depends on it.",
  settings,
  beside: besideWhereMonitored("webPool"),
  listeners: exporterListener("server", "metrics of nginx"),
  metrics: nginxExporterMetrics,
  dashboard: nginxExporterDashboard,
} as const satisfies TierDeclaration<typeof settings>;
