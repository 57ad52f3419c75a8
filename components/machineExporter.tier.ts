import { z } from "zod";
import { placementOf } from "../model/settings";
import { port, type Listener, type TierDeclaration } from "../model/tier";
import { machineAlerts } from "./machineExporter.alerts";
import { machineDashboard } from "./machineExporter.dashboard";
import { machineMetrics } from "./machineExporter.metrics";

const settings = z.strictObject({
  port: port("Port of the machines' own metrics.", 9100),
  memoryMegabytes: z.int().min(32).default(64).describe("Memory limit of a node in MiB."),
});

export type MachineExporterSettings = z.output<typeof settings>;

function listeners(values: MachineExporterSettings): readonly Listener[] {
  return [
    {
      name: "node",
      protocol: "tcp",
      port: values.port,
      from: [],
      purpose: "metrics of the machine",
      metricsPath: "/metrics",
    },
  ];
}

export const machineExporter = {
  name: "machineExporter",
  key: "machine",
  summary:
    "The node exporter, on every machine that carries a node, where the stack has monitoring: processor, memory, disks, network and clock of the machine, and the markers that updates leave. It only reads, and nothing depends on it.",
  serviceClass: "non-critical",
  settings,
  everyMachine: (all) => placementOf(all, "monitoring").count > 0,
  withoutIt: "Everything serves on; the machine's figures are missing.",
  listeners,
  alerts: machineAlerts,
  metrics: machineMetrics,
  dashboard: machineDashboard,
} as const satisfies TierDeclaration<typeof settings>;
