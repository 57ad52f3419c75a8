import { byNode } from "../model/alertExpressions";
import type { Alert } from "../model/alerts";

/** A third of the life of a public certificate; the stack's own are renewed long before. */
const certificateSeconds = 30 * 86_400;

/**
 * Certificates near their end. Where the edge's is renewed without an update, what renews it says
 * from when that is late: a certificate may live less than a month.
 */
const nearExpiry = [
  `label_replace(min by (certificate) (holdfast_certificate_expiry_timestamp_seconds), "instance", "$1", "certificate", "(.+)") - time() < ${certificateSeconds}`,
  `min by (instance) ({__name__=~"probe_ssl_earliest_cert_expiry|holdfast_edge_certificate_expiry_timestamp_seconds"}) - time() < on () group_left () (min(holdfast_edge_certificate_warning_seconds) or vector(${certificateSeconds}))`,
].join(" or ");

/** Alerts of the monitoring about itself, and of what its probes see. */
export function monitoringAlerts(): readonly Alert[] {
  const important = { severity: "page", serviceClass: "important" } as const;
  return [
    {
      ...important,
      name: "PrometheusDown",
      scope: "node",
      holdSeconds: 30,
      summary: "Prometheus on {{ $labels.machine }} does not answer the other one",
      expr: () => `max by (${byNode}) (up{job="monitor-prometheus"}) == 0`,
    },
    {
      ...important,
      name: "AlertmanagerDown",
      scope: "target",
      holdSeconds: 30,
      summary: "Alertmanager on {{ $labels.machine }} does not answer",
      expr: () => `max by (${byNode}) (up{job="monitor-alertmanager"}) == 0`,
    },
    {
      ...important,
      name: "SloDataMissing",
      scope: "risk",
      holdSeconds: 30,
      summary: "Nobody can say whether the stack keeps its objectives: their data is missing",
      expr: () =>
        'absent(slo:down:bool) or label_replace(slo:requests_timed:rate > 0 unless slo:requests_slow:rate, "slo", "latency", "", "")',
    },
    {
      name: "PrometheusRuleFailing",
      scope: "risk",
      severity: "ticket",
      serviceClass: "important",
      holdSeconds: 0,
      summary: "Prometheus on {{ $labels.machine }} cannot evaluate a rule",
      expr: (clock) =>
        `sum by (${byNode}) (increase(prometheus_rule_evaluation_failures_total[${clock.window(300, 60)}])) > 0`,
    },
    {
      name: "AlertmanagerCannotNotify",
      scope: "risk",
      severity: "page",
      serviceClass: "important",
      holdSeconds: 0,
      summary: "Alertmanager cannot deliver by {{ $labels.integration }}",
      expr: (clock) =>
        `sum by (integration) (increase(alertmanager_notifications_failed_total[${clock.window(300, 60)}])) > 0`,
    },
    {
      name: "Watchdog",
      scope: "signal",
      severity: "none",
      serviceClass: "important",
      holdSeconds: 0,
      summary: "Always on: whoever stops hearing it knows that alerting is dead",
      expr: () => "vector(1)",
    },
    {
      name: "CertificateNearExpiry",
      scope: "risk",
      severity: "ticket",
      serviceClass: "critical",
      holdSeconds: 0,
      summary:
        "The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}",
      expr: () => nearExpiry,
    },
  ];
}
