import { z } from "zod";
import { slotSeconds } from "../model/slo";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { monitoringAlerts } from "./monitoring.alerts";
import { monitoringDashboard } from "./monitoring.dashboard";
import { monitoringProblems } from "./monitoring.files";
import { monitoringMetrics } from "./monitoring.metrics";

const settings = z.strictObject({
  ...placement({ min: 0, max: 3, default: 0 }),
  prometheusPort: port("Port of Prometheus.", 9090),
  alertmanagerPort: port("Port of Alertmanager.", 9093),
  clusterPort: port("Port, TCP and UDP, on which the Alertmanagers find each other.", 9094),
  blackboxPort: port("Port of the exporter that probes the stack's address.", 9115),
  agentPort: port("Port of the agent: health and metrics.", 9203),
  readerPort: port(
    "Port of the queries that are answered out of what every Prometheus has recorded.",
    9204,
  ),
  scrapeIntervalSeconds: z
    .int()
    .min(1)
    .max(slotSeconds)
    .default(slotSeconds)
    .describe("Seconds between two looks at every node."),
  retentionDays: z
    .int()
    .min(1)
    .max(3650)
    .default(35)
    .describe("Days that metrics are kept; the objectives need 30."),
  retentionGigabytes: z
    .int()
    .min(1)
    .default(10)
    .describe("GB on the disk of a monitoring machine above which the oldest metrics go."),
  probePath: z
    .string()
    .regex(/^\/[^\s"]*$/, { error: "a path starts with /" })
    .default("/")
    .describe(
      "Path that is asked for at the stack's address to see whether it is up: status 2xx or 3xx is.",
    ),
  memoryMegabytes: z.int().min(256).default(1024).describe("Memory limit of a node in MiB."),
  startTimeoutSeconds: z
    .int()
    .min(15)
    .max(3600)
    .default(120)
    .describe("Seconds that a new node may take to read what it has recorded."),
});

export type MonitoringSettings = z.output<typeof settings>;

function listeners(values: MonitoringSettings): readonly Listener[] {
  return [
    {
      name: "prometheus",
      protocol: "tcp",
      port: values.prometheusPort,
      from: ["admin", "peers"],
      purpose: "queries and metrics",
      metricsPath: "/metrics",
    },
    {
      name: "alertmanager",
      protocol: "tcp",
      port: values.alertmanagerPort,
      from: ["admin", "peers"],
      purpose: "alerts from each Prometheus, silences, metrics",
      metricsPath: "/metrics",
    },
    {
      name: "cluster",
      protocol: "tcp",
      port: values.clusterPort,
      from: ["peers"],
      purpose: "the Alertmanagers tell each other what they have sent",
    },
    {
      name: "gossip",
      protocol: "udp",
      port: values.clusterPort,
      from: ["peers"],
      purpose: "the Alertmanagers tell each other who is there",
    },
    {
      name: "blackbox",
      protocol: "tcp",
      port: values.blackboxPort,
      from: ["peers"],
      purpose: "probes of the stack's address, and metrics",
      metricsPath: "/metrics",
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
    {
      name: "reader",
      protocol: "tcp",
      port: values.readerPort,
      eitherWay: true,
      from: ["admin", "grafana"],
      purpose: "queries, answered out of what every Prometheus has recorded",
    },
  ];
}

export const monitoring = {
  name: "monitoring",
  key: "monitor",
  summary:
    "Prometheus, Alertmanager and a prober on each node. Each node fetches every metric of the stack and probes its address every five seconds, so that one of two may die without a gap; the Alertmanagers tell each other what they have sent, so that one fault is one message. Its reader answers queries out of what every Prometheus has recorded: at each time the one is believed that saw most. Records are kept in a volume of the machine. 0 nodes mean no monitoring.",
  serviceClass: "important",
  settings,
  labHost: 61,
  collectsMetrics: true,
  withoutIt: "The stack serves on; nobody is told of faults, and availability counts as not seen.",
  listeners,
  statusPort: ({ agentPort }) => agentPort,
  alerts: monitoringAlerts,
  metrics: monitoringMetrics,
  dashboard: monitoringDashboard,
  problems: monitoringProblems,
} as const satisfies TierDeclaration<typeof settings>;
