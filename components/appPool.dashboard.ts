import { perSecond } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the application. */
export const appDashboard: DashboardDeclaration<{ readonly memoryMegabytes: number }> = {
  title: "Application",
  panels: ({ memoryMegabytes }) => [
    {
      title: "Answers by status",
      tells: "What the application itself counts, those to machines included.",
      unit: "reqps",
      min: 0,
      queries: [
        {
          expr: perSecond("http_request_duration_seconds_count", "status"),
          legend: "{{status}}",
        },
      ],
    },
    {
      title: "Answers by node",
      tells: "The load balancers send about as much to each.",
      unit: "reqps",
      min: 0,
      queries: [
        { expr: perSecond("http_request_duration_seconds_count", "node"), legend: "{{node}}" },
      ],
    },
    {
      title: "Slowest routes",
      tells: "The five routes with the highest p95.",
      unit: "s",
      min: 0,
      queries: [
        {
          expr: `topk(5, histogram_quantile(0.95, ${perSecond("http_request_duration_seconds_bucket", "le, route")}))`,
          legend: "{{route}}",
        },
      ],
    },
    {
      title: "Requests in flight",
      tells: "Grows when something behind the application is slow.",
      unit: "short",
      min: 0,
      overview: "saturation",
      queries: [{ expr: "max by (node) (http_requests_in_flight)", legend: "{{node}}" }],
    },
    {
      title: "Processor of the application",
      tells: "Processors in use by each node; Node.js uses one for its requests.",
      unit: "short",
      min: 0,
      queries: [
        {
          expr: perSecond('process_cpu_seconds_total{tier="appPool"}', "node"),
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Memory of the application",
      tells: `Share of the ${memoryMegabytes} MiB that a node may use.`,
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.9 },
      queries: [
        {
          expr: `max by (node) (process_resident_memory_bytes{tier="appPool"}) / ${memoryMegabytes * 2 ** 20}`,
          legend: "{{node}}",
        },
      ],
    },
  ],
};
