import type { z } from "zod";
import type { TierDeclaration } from "../model/tier";
import { exporterListener, exporterSettings, isMonitored } from "./exporterTier";
import { machineAlerts } from "./machineExporter.alerts";
import { machineDashboard } from "./machineExporter.dashboard";
import { machineMetrics } from "./machineExporter.metrics";

const settings = exporterSettings("the machines", 9100);

export type MachineExporterSettings = z.output<typeof settings>;

export const machineExporter = {
  name: "machineExporter",
  key: "machine",
  summary:
    "The node exporter, on every machine that carries a node, where the stack has monitoring: processor, memory, disks, network and clock of the machine, and the markers that updates leave. It only reads, and nothing depends on it.",
  serviceClass: "non-critical",
  settings,
  everyMachine: isMonitored,
  withoutIt: "Everything serves on; the machine's figures are missing.",
  listeners: exporterListener("node", "metrics of the machine"),
  alerts: machineAlerts,
  metrics: machineMetrics,
  dashboard: machineDashboard,
} as const satisfies TierDeclaration<typeof settings>;
