import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const monitoringMetrics: readonly FollowedMetric[] = [
  {
    job: "probe-edge",
    name: "probe_success",
    what: "1 where the stack's address answers a prober.",
    why: "Whether users can reach the stack: the other half of the availability.",
  },
  {
    job: "probe-edge",
    name: "probe_duration_seconds",
    what: "Time of a probe.",
    why: "What a client sees, also where the application counts nothing.",
  },
  {
    job: "probe-edge",
    name: "probe_ssl_earliest_cert_expiry",
    what: "When the certificate at the edge expires.",
    why: "Clients refuse the stack from then on.",
  },
  {
    job: "monitor-prometheus",
    name: "prometheus_rule_evaluation_failures_total",
    what: "Rules that could not be evaluated.",
    why: "An alert that cannot be evaluated never fires.",
  },
  {
    job: "monitor-prometheus",
    name: "prometheus_tsdb_head_series",
    what: "Series that Prometheus holds.",
    why: "What monitoring costs.",
  },
  {
    job: "monitor-alertmanager",
    name: "alertmanager_notifications_failed_total",
    what: "Messages that could not be delivered, by kind of receiver.",
    why: "Whoever should be told is not.",
  },
  {
    job: "monitor-alertmanager",
    name: "alertmanager_cluster_members",
    what: "Alertmanagers that know of each other.",
    why: "Fewer than there are means every message twice.",
  },
  {
    job: "monitor-agent",
    name: "holdfast_monitoring_restarts_total",
    what: "Unasked ends of Prometheus, Alertmanager and the prober.",
    why: "A program that dies of its memory limit comes back, and hides it.",
  },
];
