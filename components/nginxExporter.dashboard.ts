import { perSecond, yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of nginx as it tells it itself. */
export const nginxExporterDashboard: DashboardDeclaration<object> = {
  title: "nginx",
  panels: () => [
    {
      title: "Read by its exporter",
      tells: "Whether nginx answers the exporter on its machine.",
      kind: "states",
      unit: "short",
      names: yesOrNo("read", "not read"),
      queries: [{ expr: "max by (node) (nginx_up)", legend: "{{node}}" }],
    },
    {
      title: "Requests of each nginx",
      tells: "Requests a second, those of health checks too. Alike where the load is spread.",
      unit: "reqps",
      min: 0,
      queries: [{ expr: perSecond("nginx_http_requests_total", "node"), legend: "{{node}}" }],
    },
    {
      title: "Connections of each nginx",
      tells: "At work on a request, being read, or kept and idle.",
      unit: "short",
      min: 0,
      queries: ["writing", "reading", "waiting"].map((state) => ({
        expr: `max by (node) (nginx_connections_${state})`,
        legend: `{{node}} ${state}`,
      })),
    },
    {
      title: "Open connections",
      tells: "Each worker takes 4096, and one more to the application for each request.",
      unit: "short",
      min: 0,
      queries: [{ expr: "max by (node) (nginx_connections_active)", legend: "{{node}}" }],
    },
    {
      title: "New connections",
      tells: "Accepted in a second. Few while the load balancers keep theirs.",
      unit: "ops",
      min: 0,
      queries: [{ expr: perSecond("nginx_connections_accepted", "node"), legend: "{{node}}" }],
    },
    {
      title: "Connections that were dropped",
      tells: "Accepted and not served: nginx has run out of connections.",
      unit: "ops",
      min: 0,
      alarm: { above: 0 },
      queries: [
        {
          expr: `${perSecond("nginx_connections_accepted", "node")} - ${perSecond("nginx_connections_handled", "node")}`,
          legend: "{{node}}",
        },
      ],
    },
  ],
};
