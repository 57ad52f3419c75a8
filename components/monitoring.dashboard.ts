import { perSecond, rateRange, yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the monitoring itself. */
export const monitoringDashboard: DashboardDeclaration<{ readonly memoryMegabytes: number }> = {
  title: "Monitoring itself",
  panels: ({ memoryMegabytes }) => [
    {
      title: "Probes",
      tells: "Whether the stack's address answers, asked by each monitor.",
      kind: "states",
      unit: "short",
      names: yesOrNo("answers", "silent"),
      queries: [
        {
          expr: 'min by (monitor, instance) (probe_success{job="probe-edge"})',
          legend: "{{instance}} from {{monitor}}",
        },
      ],
    },
    {
      title: "Targets that are silent",
      tells: "Of all that are asked for metrics. More than 0 is told of, see TargetDown.",
      unit: "short",
      min: 0,
      queries: [
        { expr: "count by (job) (max by (job, node) (up) == 0) or vector(0)", legend: "{{job}}" },
      ],
    },
    {
      title: "Longest scrape",
      tells: "Time that the slowest target of each job takes to tell its metrics.",
      unit: "s",
      min: 0,
      queries: [{ expr: "max by (job) (scrape_duration_seconds)", legend: "{{job}}" }],
    },
    {
      title: "Series",
      tells: "What each Prometheus holds: the cost of monitoring.",
      unit: "short",
      min: 0,
      queries: [{ expr: "max by (node) (prometheus_tsdb_head_series)", legend: "{{node}}" }],
    },
    {
      title: "Rules that fail",
      tells: "A rule that cannot be evaluated alerts of nothing.",
      unit: "ops",
      min: 0,
      alarm: { above: 0 },
      queries: [
        {
          expr: perSecond("prometheus_rule_evaluation_failures_total", "node"),
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Messages that failed",
      tells: "Alerts that could not be delivered, by kind of receiver.",
      unit: "ops",
      min: 0,
      alarm: { above: 0 },
      queries: [
        {
          expr: perSecond("alertmanager_notifications_failed_total", "node, integration"),
          legend: "{{node}} {{integration}}",
        },
      ],
    },
    {
      title: "Alertmanagers in the cluster",
      tells: "As many as there are, seen from each of them; fewer send every message twice.",
      unit: "short",
      min: 0,
      queries: [{ expr: "min by (node) (alertmanager_cluster_members)", legend: "{{node}}" }],
    },
    {
      title: "Restarts",
      tells: "Unasked ends of the programs; they come back, and hide it.",
      unit: "ops",
      min: 0,
      alarm: { above: 0 },
      queries: [
        {
          expr: perSecond("holdfast_monitoring_restarts_total", "node, program"),
          legend: "{{node}} {{program}}",
        },
      ],
    },
    {
      title: "Memory of the monitors",
      tells: `Share of the ${memoryMegabytes} MiB of each node that its programs use.`,
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.9 },
      queries: [
        {
          expr: `sum by (node) (process_resident_memory_bytes{tier="monitoring"}) / ${memoryMegabytes * 2 ** 20}`,
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Processor of the monitors",
      tells: "Processors in use by each program.",
      unit: "short",
      min: 0,
      queries: [
        {
          expr: `sum by (node, job) (rate(process_cpu_seconds_total{tier="monitoring"}[${rateRange}]))`,
          legend: "{{node}} {{job}}",
        },
      ],
    },
    {
      title: "Certificate at the edge",
      tells: "When the certificate that clients see expires.",
      kind: "number",
      unit: "dateTimeFromNow",
      queries: [{ expr: "min(probe_ssl_earliest_cert_expiry) * 1000", legend: "expires" }],
    },
  ],
};
