import type { FollowedMetric } from "../model/metrics";

const job = "exporter-nginx-server";

/** Metrics of the tier that are worth following. */
export const nginxExporterMetrics: readonly FollowedMetric[] = [
  {
    job,
    name: "nginx_up",
    what: "1 where nginx answers its exporter.",
    why: "Whether the other figures are there.",
  },
  {
    job,
    name: "nginx_http_requests_total",
    what: "Requests, those of health checks too.",
    why: "How the load balancers spread the load.",
  },
  {
    job,
    name: "nginx_connections_accepted",
    what: "Connections that were accepted.",
    why: "Whether connections are kept or made anew each time.",
  },
  {
    job,
    name: "nginx_connections_handled",
    what: "Connections that were served.",
    why: "Fewer than accepted means that nginx ran out of connections.",
  },
  {
    job,
    name: "nginx_connections_active",
    what: "Open connections.",
    why: "How near nginx is to its limit.",
  },
  {
    job,
    name: "nginx_connections_reading",
    what: "Connections of which a request is being read.",
    why: "Many mean slow clients, or hostile ones.",
  },
  {
    job,
    name: "nginx_connections_writing",
    what: "Connections with a request that is at work or being answered.",
    why: "Many mean a slow application.",
  },
  {
    job,
    name: "nginx_connections_waiting",
    what: "Connections that are kept and idle.",
    why: "What the load balancers keep ready.",
  },
];
