import {
  deploy,
  disk,
  labelsOf,
  monitor,
  probe,
  ratio,
  responses,
  server,
  up,
} from "./alertSeries";
import { growing, held, oneIn, sequence, type AlertCase } from "./promtool";

/** Two minutes of outage that the probes see, after five minutes of peace. */
const outage = sequence(held(1, 300), held(0, 120), held(1, 400));

/** Alerts that every stack has. */
export const stackAlertCases: readonly AlertCase[] = [
  {
    alert: "VipProbeFailing",
    // One of two monitors cannot reach it: that is enough. It outlasts what it silences.
    fires: {
      series: {
        [probe("https://10.77.0.5/", "a")]: held(1, 180),
        [probe("https://10.77.0.5/", "b")]: sequence(held(1, 60), held(0, 60), held(1, 60)),
      },
      at: [80, 130],
      labels: { instance: "https://10.77.0.5/" },
    },
    // A fail-over: one probe fails.
    silent: {
      series: {
        [probe("https://10.77.0.5/", "a")]: sequence(held(1, 60), held(0, 5), held(1, 60)),
      },
      at: [60, 65, 70, 75, 80],
    },
  },
  {
    alert: "RequestsFailing",
    fires: {
      series: { [responses("2xx")]: growing(90, 120), [responses("5xx")]: growing(10, 120) },
      at: 60,
      labels: {},
    },
    silent: {
      series: { [responses("2xx")]: growing(96, 120), [responses("5xx")]: growing(4, 120) },
      at: [60, 120],
    },
  },
  {
    alert: "AvailabilityBudgetBurnFast",
    timeScale: 20,
    // One slot of three: never long enough for an outage, but far too often.
    fires: {
      series: { "slo:down:bool": oneIn(3, 300) },
      at: 250,
      labels: { slo: "availability" },
    },
    silent: { series: { "slo:down:bool": sequence(oneIn(3, 60), held(0, 240)) }, at: 250 },
  },
  {
    alert: "AvailabilityBudgetBurnFast",
    fires: {
      series: { "slo:down:bool": sequence(held(0, 300), held(1, 120)) },
      at: 410,
      labels: { slo: "availability" },
    },
    // The same outage, but somebody has been told of it: not again, also not when it is over.
    silent: { series: { [probe("x", "a")]: outage }, at: [360, 420, 480, 600, 720, 760] },
  },
  {
    alert: "AvailabilityBudgetBurnSlow",
    fires: {
      series: {
        [ratio("availability", "3d")]: held(0.0011, 120),
        [ratio("availability", "6h")]: held(0.0011, 120),
      },
      at: 60,
      labels: { slo: "availability" },
    },
    // The fault is over: the short window says so.
    silent: {
      series: {
        [ratio("availability", "3d")]: held(0.0011, 120),
        [ratio("availability", "6h")]: held(0.0009, 120),
      },
      at: 60,
    },
  },
  {
    alert: "LatencyBudgetBurnFast",
    timeScale: 20,
    fires: {
      series: {
        "slo:requests_timed:rate": held(10, 300),
        "slo:requests_slow:rate": held(2, 300),
      },
      at: 200,
      labels: { slo: "latency" },
    },
    // As slow, but one request in a minute says nothing.
    silent: {
      series: {
        "slo:requests_timed:rate": held(0.02, 300),
        "slo:requests_slow:rate": held(0.02, 300),
      },
      at: 200,
    },
  },
  {
    alert: "LatencyBudgetBurnSlow",
    fires: {
      series: {
        "slo:requests_timed:rate": held(10, 120),
        [ratio("latency", "1d")]: held(0.031, 120),
        [ratio("latency", "2h")]: held(0.031, 120),
      },
      at: 60,
      labels: { slo: "latency" },
    },
    silent: {
      series: {
        "slo:requests_timed:rate": held(10, 120),
        [ratio("latency", "1d")]: held(0.029, 120),
        [ratio("latency", "2h")]: held(0.031, 120),
      },
      at: 60,
    },
  },
  {
    alert: "NodeOutOfService",
    fires: {
      series: {
        [up("machine-node", 'machine="vm-web-b"')]: held(1, 120),
        [server("web-b", "DOWN", "a")]: sequence(held(0, 30), held(1, 90)),
        [server("web-b", "DOWN", "b")]: sequence(held(0, 30), held(1, 90)),
        [server("web-a", "DOWN", "a")]: held(0, 120),
      },
      at: 75,
      labels: labelsOf("web-b", "webPool"),
    },
    // Draining is not down.
    silent: {
      series: {
        [server("web-b", "DOWN", "a")]: held(0, 120),
        [server("web-b", "NOLB", "a")]: held(1, 120),
      },
      at: 110,
    },
  },
  {
    alert: "TargetDown",
    fires: {
      series: { [up("machine-node", 'machine="vm-web-a"')]: sequence(held(1, 30), held(0, 90)) },
      at: 70,
      labels: { job: "machine-node", machine: "vm-web-a" },
    },
    // A probe that cannot be asked is told of by its exporter.
    silent: {
      series: {
        [up("probe-edge", monitor("a"))]: held(0, 120),
        [up("machine-node", 'machine="vm-web-a"')]: sequence(held(0, 25), held(1, 95)),
      },
      at: [30, 35, 110],
    },
  },
  {
    alert: "PrometheusDown",
    fires: {
      series: {
        [up("monitor-prometheus", monitor("a"))]: held(1, 120),
        [up("monitor-prometheus", monitor("b"))]: held(0, 120),
      },
      at: 60,
      labels: labelsOf("monitor-b", "monitoring"),
    },
    silent: { series: { [up("monitor-prometheus", monitor("b"))]: held(1, 120) }, at: 60 },
  },
  {
    alert: "AlertmanagerDown",
    fires: {
      series: { [up("monitor-alertmanager", monitor("b"))]: held(0, 120) },
      at: 60,
      labels: labelsOf("monitor-b", "monitoring"),
    },
    silent: { series: { [up("monitor-alertmanager", monitor("b"))]: held(1, 120) }, at: 60 },
  },
  {
    alert: "SloDataMissing",
    // The bucket of the latency objective does not exist.
    fires: {
      series: {
        [probe("x", "a")]: held(1, 120),
        'http_request_duration_seconds_count{route="/",status="200"}': growing(50, 120),
        'http_request_duration_seconds_bucket{route="/",status="200",le="0.3"}': growing(50, 120),
      },
      at: 100,
      labels: { slo: "latency" },
    },
    silent: {
      series: {
        [probe("x", "a")]: held(1, 120),
        'http_request_duration_seconds_count{route="/",status="200"}': growing(50, 120),
        'http_request_duration_seconds_bucket{route="/",status="200",le="0.5"}': growing(50, 120),
      },
      at: 100,
    },
  },
  {
    alert: "PrometheusRuleFailing",
    fires: {
      series: {
        [`prometheus_rule_evaluation_failures_total{rule_group="x",${monitor("a")}}`]: sequence(
          held(0, 60),
          held(3, 60),
        ),
      },
      at: 70,
      labels: labelsOf("monitor-a", "monitoring"),
    },
    silent: {
      series: {
        [`prometheus_rule_evaluation_failures_total{rule_group="x",${monitor("a")}}`]: held(3, 120),
      },
      at: 110,
    },
  },
  {
    alert: "AlertmanagerCannotNotify",
    fires: {
      series: {
        [`alertmanager_notifications_failed_total{integration="email",${monitor("a")}}`]: sequence(
          held(0, 60),
          held(1, 60),
        ),
      },
      at: 70,
      labels: { integration: "email" },
    },
    silent: {
      series: {
        [`alertmanager_notifications_failed_total{integration="email",${monitor("a")}}`]: held(
          1,
          120,
        ),
      },
      at: 110,
    },
  },
  { alert: "Watchdog", fires: { series: {}, at: [0, 60], labels: {} } },
  {
    alert: "DeployRunning",
    fires: {
      series: { [deploy("started")]: held(10, 120), [deploy("finished")]: held(5, 120) },
      at: 60,
      labels: {},
    },
    silent: {
      series: { [deploy("started")]: held(10, 120), [deploy("finished")]: held(50, 120) },
      at: 60,
    },
  },
  {
    alert: "DeployStoppedHalfWay",
    timeScale: 60,
    // Never one that ended, and half an hour (scaled: a minute and a half) gone by.
    fires: { series: { [deploy("started")]: held(10, 120) }, at: 110, labels: {} },
    silent: {
      series: { [deploy("started")]: held(10, 120), [deploy("finished")]: held(11, 120) },
      at: [30, 60, 110],
    },
  },
  {
    alert: "DeployStoppedHalfWay",
    // It said so itself.
    fires: {
      series: { [deploy("started")]: held(10, 60), [deploy("stopped")]: held(40, 60) },
      at: 50,
      labels: {},
    },
    // The one before it did; this one goes on.
    silent: {
      series: { [deploy("started")]: held(45, 60), [deploy("stopped")]: held(40, 60) },
      at: 50,
    },
  },
  {
    alert: "DiskFilling",
    timeScale: 20,
    // Above a tenth, but not for long.
    fires: {
      series: { [disk("size")]: held(1000, 300), [disk("avail")]: "240-2x60" },
      at: 250,
      labels: { machine: "vm-mysql-a", device: "/dev/vda1" },
    },
    silent: {
      series: {
        [disk("size")]: held(1000, 300),
        // Falls fast, but nobody knows for long enough.
        [disk("avail")]: "_x30 240-4x28",
        [disk("size", "tmpfs")]: held(1000, 300),
        [disk("avail", "tmpfs")]: held(0, 300),
      },
      at: 290,
    },
  },
  {
    alert: "ClockOffset",
    fires: {
      series: { 'node_time_seconds{job="machine-node",machine="vm-web-a"}': "0.6+5x24" },
      at: 90,
      labels: { machine: "vm-web-a" },
    },
    silent: {
      series: { 'node_time_seconds{job="machine-node",machine="vm-web-a"}': "0.4+5x24" },
      at: 90,
    },
  },
  {
    alert: "ConntrackNearlyFull",
    fires: {
      series: {
        'node_nf_conntrack_entries{machine="vm-lb-a"}': held(81, 120),
        'node_nf_conntrack_entries_limit{machine="vm-lb-a"}': held(100, 120),
      },
      at: 60,
      labels: { machine: "vm-lb-a" },
    },
    silent: {
      series: {
        'node_nf_conntrack_entries{machine="vm-lb-a"}': held(79, 120),
        'node_nf_conntrack_entries_limit{machine="vm-lb-a"}': held(100, 120),
      },
      at: 110,
    },
  },
  {
    alert: "CertificateNearExpiry",
    fires: {
      series: {
        'probe_ssl_earliest_cert_expiry{instance="https://x/"}': held(31 * 86400, 60),
        'holdfast_certificate_expiry_timestamp_seconds{certificate="mysql-a"}': held(
          29 * 86400,
          60,
        ),
      },
      at: 30,
      labels: { certificate: "mysql-a", instance: "mysql-a" },
    },
    silent: {
      series: {
        'probe_ssl_earliest_cert_expiry{instance="https://x/"}': held(31 * 86400, 60),
        'holdfast_certificate_expiry_timestamp_seconds{certificate="mysql-a"}': held(
          31 * 86400,
          60,
        ),
      },
      at: 30,
    },
  },
  {
    // What is renewed without an update says itself from when that is late, here a day.
    alert: "CertificateNearExpiry",
    fires: {
      series: {
        'probe_ssl_earliest_cert_expiry{instance="https://x/"}': held(3 * 86400, 60),
        'holdfast_edge_certificate_expiry_timestamp_seconds{instance="lb-b"}': held(86000, 60),
        'holdfast_edge_certificate_warning_seconds{instance="lb-a"}': held(86400, 60),
      },
      at: 30,
      labels: { instance: "lb-b" },
    },
    silent: {
      series: {
        'probe_ssl_earliest_cert_expiry{instance="https://x/"}': held(3 * 86400, 60),
        'holdfast_edge_certificate_expiry_timestamp_seconds{instance="lb-b"}': held(3 * 86400, 60),
        'holdfast_edge_certificate_warning_seconds{instance="lb-a"}': held(86400, 60),
        'holdfast_certificate_expiry_timestamp_seconds{certificate="mysql-a"}': held(
          31 * 86400,
          60,
        ),
      },
      at: 30,
    },
  },
];
