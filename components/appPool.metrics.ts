import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const appMetrics: readonly FollowedMetric[] = [
  {
    job: "app-http",
    name: "http_request_duration_seconds",
    what: "Time of each answer, as a histogram by route, method and status.",
    why: "The latency objective; without load balancers the failed requests, too.",
  },
  {
    job: "app-http",
    name: "http_requests_in_flight",
    what: "Requests that are being answered.",
    why: "Grows when something behind the application is slow.",
  },
  {
    job: "app-http",
    name: "process_cpu_seconds_total",
    what: "Processor time of the application.",
    why: "How busy a node is.",
  },
  {
    job: "app-http",
    name: "process_resident_memory_bytes",
    what: "Memory of the application.",
    why: "How near a node is to its limit.",
  },
];
