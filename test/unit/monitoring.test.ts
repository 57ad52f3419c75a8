import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { logLine } from "../../agents/monitoring/logLine";
import { readiness } from "../../agents/monitoring/readiness";
import { balancerMetrics } from "../../agents/supervisor/balancerMetrics";
import { loadBalancerFiles } from "../../components/loadBalancer.files";
import {
  monitoringFiles,
  monitoringSecretFiles,
  prometheusUrls,
} from "../../components/monitoring.files";
import { allowedElements, connections } from "../../model/connections";
import { edgeUrls, polledPaths, scrapeJobs } from "../../model/scrapes";
import { SettingsError } from "../../model/settings";
import { singlePoints } from "../../model/spof";
import { readPlan } from "../../model/stack";
import type { MonitoringAgentView } from "../../model/views";
import { tiers } from "../../tiers";
import { inventory } from "./support/settings";

const hello = { monitoring: { count: 2 } };
const dev = {
  ...hello,
  mysqlCluster: { count: 3 },
  redisCache: { count: 3 },
  backup: { count: 1 },
};
const alone = {
  loadBalancer: { count: 0 },
  webPool: { count: 1 },
  appPool: { count: 1 },
  monitoring: { count: 1, probePath: "/readyz" },
};
const planOf = (raw: Record<string, unknown>) => readPlan(tiers, raw);

/** How a target's certificate is verified. */
const authority = { ca_file: "/etc/holdfast/tls/ca.pem", min_version: "TLS12" };

/** Prometheus' configuration, as much of it as is looked at. */
interface PrometheusConfig {
  readonly global: Readonly<Record<string, unknown>>;
  readonly alerting: {
    readonly alertmanagers: readonly {
      readonly scheme?: string;
      readonly tls_config?: unknown;
      readonly static_configs: readonly { readonly targets: readonly string[] }[];
    }[];
  };
  readonly scrape_configs: readonly {
    readonly job_name: string;
    readonly metrics_path: string;
    readonly scheme?: string;
    readonly tls_config?: unknown;
    readonly static_configs: readonly {
      readonly targets: readonly string[];
      readonly labels: Readonly<Record<string, string>>;
    }[];
  }[];
}

function filesOf(raw: Record<string, unknown>, index = 0): Readonly<Record<string, string>> {
  const plan = planOf(raw);
  return monitoringFiles(plan, plan.tiers.monitoring.nodes[index]!, "unit");
}

function configOf(raw: Record<string, unknown>, index = 0): PrometheusConfig {
  return parse(filesOf(raw, index)["/etc/holdfast/prometheus.yml"]!) as PrometheusConfig;
}

const jobsOf = (raw: Record<string, unknown>) =>
  Object.fromEntries(
    scrapeJobs(planOf(raw)).map(({ job, targets }) => [job, targets.map(({ node }) => node)]),
  );

function mistakes(raw: Record<string, unknown>): readonly string[] {
  try {
    planOf(raw);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems.map(({ key, found, allowed }) => `${key}: ${found}; ${allowed}`);
  }
}

describe("what is scraped", () => {
  it("is every listener with metrics, by tier and listener", () => {
    expect(Object.keys(jobsOf(dev))).toEqual([
      "lb-status",
      "lb-supervisor",
      "mysql-agent",
      "redis-agent",
      "app-http",
      "backup-agent",
      "monitor-prometheus",
      "monitor-alertmanager",
      "monitor-blackbox",
      "monitor-agent",
      "machine-node",
      "exporter-mysql-server",
      "exporter-redis-redis",
      "exporter-redis-sentinel",
      "exporter-nginx-server",
    ]);
    expect(jobsOf(dev)["mysql-agent"]).toEqual(["mysql-a", "mysql-b", "mysql-c"]);
    expect(jobsOf(alone)["lb-status"]).toBeUndefined();
  });

  it("names node, tier and machine", () => {
    expect(scrapeJobs(planOf(hello))[0]).toEqual({
      job: "lb-status",
      path: "/metrics",
      tls: true,
      targets: [
        { target: "10.77.0.11:8404", tier: "loadBalancer", node: "lb-a", machine: "vm-lb-a" },
        { target: "10.77.0.12:8404", tier: "loadBalancer", node: "lb-b", machine: "vm-lb-b" },
      ],
    });
  });

  const secureJobs = (raw: Record<string, unknown>) =>
    configOf(raw).scrape_configs.filter(({ scheme }) => scheme === "https");

  it("is asked for over TLS where the tier speaks it, verified by the stack's authority", () => {
    const secure = (tls: string) =>
      secureJobs({ ...hello, pki: { metricsTls: "off" }, appPool: { tls } });
    expect(secure("off")).toEqual([]);
    for (const stage of ["prefer", "require"]) {
      expect(secure(stage)).toMatchObject([
        {
          job_name: "app-http",
          tls_config: authority,
          static_configs: [{ targets: ["10.77.0.31:8443"] }, { targets: ["10.77.0.32:8443"] }],
        },
      ]);
    }
  });

  it.each([
    ["off", ["app-http"]],
    [
      "prefer",
      ["app-http", "lb-supervisor", "mysql-agent", "redis-agent", "backup-agent", "monitor-agent"],
    ],
    ["require", [...Object.keys(jobsOf(dev)), "probe-edge"]],
  ])("is asked for over TLS at its usual port at %s: %j", (metricsTls, expected) => {
    const raw = { ...dev, pki: { metricsTls } };
    const jobs = secureJobs(raw);
    expect(jobs.map(({ job_name: job }) => job).sort()).toEqual([...expected].sort());
    for (const { tls_config: config } of jobs) expect(config).toEqual(authority);
    const targets = (config: PrometheusConfig) =>
      config.scrape_configs.flatMap(({ static_configs: each }) =>
        each.flatMap((one) => one.targets),
      );
    expect(targets(configOf(raw))).toEqual(
      targets(configOf({ ...dev, pki: { metricsTls: "off" } })),
    );
  });

  it.each(["off", "prefer", "require"])(
    "is what the firewalls let the monitors fetch, and nothing else: TLS %s",
    (tls) => {
      const plan = planOf({ ...dev, webPool: { tls }, appPool: { sample: "property", tls } });
      const monitors = new Set(plan.tiers.monitoring.nodes.map(({ machine }) => machine.address));
      const scraped = scrapeJobs(plan).flatMap(({ targets }) =>
        targets.map(({ target }) => target),
      );
      const opened = connections(plan)
        .filter(({ source, tier }) => source === "monitoring" && tier !== "monitoring")
        .map(({ to, port }) => `${plan.machines.find(({ key }) => key === to)!.address}:${port}`);
      const own = (target: string) => monitors.has(target.split(":")[0]!) && !/:9100$/.test(target);
      expect([...new Set(opened)].sort()).toEqual(
        [...new Set(scraped)].filter((target) => !own(target)).sort(),
      );
      expect(allowedElements(plan, "vm-mysql-a")).toContainEqual({
        source: "10.77.0.61/32",
        protocol: "tcp",
        port: 9200,
      });
    },
  );

  it("opens nothing where nobody scrapes", () => {
    expect(connections(planOf({})).filter(({ port }) => port === 8406 || port === 9100)).toEqual(
      [],
    );
  });

  it("leaves out what machines ask the application for", () => {
    expect(polledPaths(planOf({}))).toEqual(["/healthz", "/metrics", "/readyz"]);
    const raw = {
      appPool: { readyPath: "/ready?deep=1", healthPath: "/alive", metricsPath: "/m" },
    };
    expect(polledPaths(planOf(raw))).toEqual(["/alive", "/m", "/ready", "/readyz"]);
  });

  it("is asked for at the stack's own address", () => {
    expect(edgeUrls(planOf({}), "/")).toEqual(["http://10.77.0.5/", "https://10.77.0.5/"]);
    const ports = { webPool: { edgeHttpPort: 8000, edgeHttpsPort: 8443 } };
    expect(edgeUrls(planOf(ports), "/x")).toEqual([
      "http://10.77.0.5:8000/x",
      "https://10.77.0.5:8443/x",
    ]);
    expect(edgeUrls(planOf(alone), "/")).toEqual(["http://10.77.0.21:8080/"]);
  });
});

describe("every machine", () => {
  it("has an exporter where there is monitoring, and none where there is not", () => {
    const nodes = planOf(hello).tiers.machineExporter.nodes;
    expect(nodes.map(({ key, machine }) => [key, machine.key])).toEqual(
      ["lb-a", "lb-b", "app-a", "app-b", "web-a", "web-b", "monitor-a", "monitor-b"].map((node) => [
        `machine-vm-${node}`,
        `vm-${node}`,
      ]),
    );
    expect(planOf({}).tiers.machineExporter.nodes).toEqual([]);
  });

  it("has one, also with several nodes, and a machine without nodes has none", () => {
    const list = {
      ...inventory.machines.list,
      spare: { ...inventory.machines.list["n1"]!, address: "192.0.2.99" },
    };
    const raw = {
      ...inventory,
      machines: { ...inventory.machines, list },
      monitoring: { count: 2, machines: ["n5", "n6"] },
    };
    expect(planOf(raw).tiers.machineExporter.nodes.map(({ key }) => key)).toEqual([
      "machine-n1",
      "machine-n2",
      "machine-n3",
      "machine-n4",
      "machine-n5",
      "machine-n6",
    ]);
  });

  it("must have the port free", () => {
    expect(mistakes({ ...hello, webPool: { port: 9100 } })).toContain(
      "holdfast:machineExporter.port: tcp port 9100 on machine vm-web-a; a port that nothing else uses there; listener http of web-a does",
    );
  });

  it("is no single point of failure for its own exporter", () => {
    expect(singlePoints(planOf(alone)).flatMap((point) => point.tiers)).not.toContain(
      "machineExporter",
    );
  });
});

describe("Prometheus' configuration", () => {
  it("tells every Alertmanager, in the same words from each node", () => {
    const [a, b] = [configOf(dev, 0), configOf(dev, 1)];
    expect(a.global["external_labels"]).toEqual({ stack: "unit", prometheus: "monitor-a" });
    expect(b.global["external_labels"]).toEqual({ stack: "unit", prometheus: "monitor-b" });
    expect(a.alerting.alertmanagers[0]?.static_configs[0]?.targets).toEqual([
      "10.77.0.61:9093",
      "10.77.0.62:9093",
    ]);
    expect({ ...a, global: {} }).toEqual({ ...b, global: {} });
  });

  it.each([
    ["off", {}],
    ["prefer", {}],
    ["require", { scheme: "https", tls_config: authority }],
  ])("reaches the Alertmanagers and the probers as they are reached at %s", (metricsTls, how) => {
    const { alerting, scrape_configs: jobs } = configOf({ ...hello, pki: { metricsTls } });
    const probe = jobs.find(({ job_name: job }) => job === "probe-edge");
    for (const each of [alerting.alertmanagers[0]!, probe!]) {
      const { scheme, tls_config } = each;
      expect(JSON.parse(JSON.stringify({ scheme, tls_config }))).toEqual(how);
    }
  });

  it("probes the edge from every monitor", () => {
    const probes = configOf(hello).scrape_configs.find(
      ({ job_name: job }) => job === "probe-edge",
    )!;
    expect(
      probes.static_configs.map(({ targets, labels }) => [
        targets[0],
        labels["monitor"],
        labels["instance"],
        labels["__param_target"],
      ]),
    ).toEqual([
      ["10.77.0.61:9115", "monitor-a", "http://10.77.0.5/", "http://10.77.0.5/"],
      ["10.77.0.61:9115", "monitor-a", "https://10.77.0.5/", "https://10.77.0.5/"],
      ["10.77.0.62:9115", "monitor-b", "http://10.77.0.5/", "http://10.77.0.5/"],
      ["10.77.0.62:9115", "monitor-b", "https://10.77.0.5/", "https://10.77.0.5/"],
    ]);
  });

  it.each([hello, dev, alone])("is YAML with every job once", (raw) => {
    const jobs = configOf(raw).scrape_configs.map(({ job_name: job }) => job);
    expect(new Set(jobs).size).toBe(jobs.length);
    expect(jobs).toEqual([...Object.keys(jobsOf(raw)), "probe-edge"]);
  });

  it("has the rules of the settings' objectives", () => {
    const rules = filesOf({ ...hello, slo: { availabilityPercent: 99.5 } })[
      "/etc/holdfast/rules.yml"
    ];
    expect(rules).toContain("vector(0.995)");
    expect(rules).toContain('route!~"/healthz|/metrics|/readyz"');
  });
});

describe("the programs of a node", () => {
  const programs = (raw: Record<string, unknown>) =>
    (JSON.parse(filesOf(raw)["/etc/holdfast/agent.json"]!) as MonitoringAgentView).programs;

  it("keep what the settings say, and listen on their machine's address", () => {
    const [prometheus] = programs({
      monitoring: { count: 2, retentionDays: 60, retentionGigabytes: 3 },
    });
    expect(prometheus?.command).toEqual(
      expect.arrayContaining([
        "--storage.tsdb.retention.time=60d",
        "--storage.tsdb.retention.size=3GB",
        "--web.listen-address=10.77.0.61:9090",
      ]),
    );
  });

  const web = "/etc/holdfast/web.yml";
  const viewOf = (metricsTls: string) => {
    const files = filesOf({ ...hello, pki: { metricsTls } });
    const agent = JSON.parse(files["/etc/holdfast/agent.json"]!) as MonitoringAgentView;
    return { files, agent };
  };

  it("serve with the node's certificate, and are asked by the same address, where TLS is required", () => {
    const { files, agent } = viewOf("require");
    expect(parse(files[web]!)).toEqual({
      tls_server_config: {
        cert_file: "/etc/holdfast/tls/node.pem",
        key_file: "/etc/holdfast/tls/node.key",
        min_version: "TLS12",
      },
    });
    for (const { name, command } of agent.programs) {
      expect(command, name).toContain(`--web.config.file=${web}`);
    }
    expect(agent.programs.map(({ readyUrl }) => readyUrl)).toEqual([
      "https://10.77.0.61:9090/-/ready",
      "https://10.77.0.61:9093/-/ready",
      "https://10.77.0.61:9115/-/healthy",
    ]);
    const urls = agent.programs.flatMap(({ command }) =>
      command.filter((argument) => argument.startsWith("--web.external-url=")),
    );
    expect(urls).toEqual([
      "--web.external-url=https://10.77.0.61:9090/",
      "--web.external-url=https://10.77.0.61:9093/",
    ]);
    expect(agent.reader.monitors).toEqual(["https://10.77.0.61:9090", "https://10.77.0.62:9090"]);
    expect(agent.tls).toBe("require");
  });

  it.each(["off", "prefer"])("serve without TLS at %s", (stage) => {
    const { files, agent } = viewOf(stage);
    expect(files[web]).toBeUndefined();
    for (const { readyUrl, command } of agent.programs) {
      expect(readyUrl).toMatch(/^http:/);
      expect(command.join(" ")).not.toMatch(/https:|web\.config/);
    }
    expect(agent.reader.monitors).toEqual(["http://10.77.0.61:9090", "http://10.77.0.62:9090"]);
    expect(agent.tls).toBe(stage);
  });

  it("are a cluster of Alertmanagers where there are several", () => {
    const cluster = (raw: Record<string, unknown>) =>
      programs(raw)
        .find(({ name }) => name === "alertmanager")
        ?.command.filter((argument) => argument.startsWith("--cluster."));
    expect(cluster(hello)).toEqual([
      "--cluster.listen-address=10.77.0.61:9094",
      "--cluster.advertise-address=10.77.0.61:9094",
      "--cluster.peer=10.77.0.62:9094",
      "--cluster.peer-timeout=5s",
    ]);
    expect(cluster(alone)).toEqual(["--cluster.listen-address="]);
  });
});

describe("secrets of the alerting", () => {
  const raw = {
    ...hello,
    alerting: {
      receivers: { chat: { webhook: "https://chat.example.com/hook?token=abc" } },
      smtp: { server: "mail.example.com:587", user: "holdfast", password: "hunter2" },
    },
  };

  it("are files, and in no other one", () => {
    expect(monitoringSecretFiles(planOf(raw))).toEqual({
      "/run/secrets/alertmanager-smtp-password": "hunter2",
      "/run/secrets/alertmanager-webhook-chat": "https://chat.example.com/hook?token=abc",
    });
    for (const text of Object.values(filesOf(raw))) expect(text).not.toMatch(/token=abc|hunter2/);
  });

  it("are not shown in a message", () => {
    const wrong = { ...raw, alerting: { receivers: { chat: { webhook: "ftp://secret" } } } };
    expect(mistakes(wrong)).toEqual([
      expect.stringMatching(/^holdfast:alerting.receivers.chat.webhook: a secret value;/),
    ]);
  });
});

describe("monitoring", () => {
  it("is not on a load balancer's machine, from where a probe would say nothing", () => {
    expect(mistakes({ monitoring: { count: 2, machines: ["vm-lb-a", "vm-monitor-b"] } })).toEqual([
      "holdfast:monitoring.machines: monitor-a on vm-lb-a; machines without a load balancer, because a probe from there says nothing about clients",
    ]);
  });

  it("changes no file of another tier's node", () => {
    const balancer = (raw: Record<string, unknown>) => {
      const plan = planOf(raw);
      return loadBalancerFiles(plan, plan.tiers.loadBalancer.nodes[0]!);
    };
    expect(balancer(hello)).toEqual(balancer({}));
  });

  it("tells where it is", () => {
    expect(prometheusUrls(planOf(hello))).toEqual([
      "https://10.77.0.61:9090",
      "https://10.77.0.62:9090",
    ]);
    for (const metricsTls of ["off", "prefer"]) {
      expect(prometheusUrls(planOf({ ...hello, pki: { metricsTls } }))[0]).toBe(
        "http://10.77.0.61:9090",
      );
    }
    expect(prometheusUrls(planOf({}))).toEqual([]);
  });

  it("is ready when every program is, and not while it stops", () => {
    const [up, down] = [
      { name: "prometheus", ready: true },
      { name: "alertmanager", ready: false },
    ];
    expect(readiness(false, [up])).toEqual({ ready: true, reason: null });
    expect(readiness(false, [up, down])).toEqual({
      ready: false,
      reason: "not ready: alertmanager",
    });
    expect(readiness(true, [up])).toEqual({ ready: false, reason: "it is stopping" });
  });

  it.each([
    [
      '{"caller":"main.go:1","component":"tsdb","level":"info","msg":"WAL replay completed","ts":"2026-11-21T10:00:00Z"}',
      { message: "WAL replay completed", level: "info", component: "tsdb" },
    ],
    [
      '{"time":"2026-11-21T10:00:00Z","level":"INFO","source":"main.go:95","msg":"Listening"}',
      { message: "Listening", level: "info" },
    ],
    ["panic: out of memory", { message: "panic: out of memory" }],
  ])("logs %s as one line", (line, expected) => {
    const now = new Date("2026-11-21T10:00:01Z");
    expect(logLine("prometheus", line, now)).toEqual({
      time: "2026-11-21T10:00:01.000Z",
      program: "prometheus",
      ...expected,
    });
    expect(logLine("prometheus", "  ", now)).toBeUndefined();
  });
});

describe("metrics of a load balancer", () => {
  it("say in which state keepalived is", () => {
    const text = balancerMetrics({ vrrp: "MASTER", fit: true, draining: false, peerAlive: true });
    expect(text.split("\n").filter((line) => line && !line.startsWith("#"))).toEqual([
      'holdfast_lb_vrrp_state{state="init"} 0',
      'holdfast_lb_vrrp_state{state="backup"} 0',
      'holdfast_lb_vrrp_state{state="master"} 1',
      'holdfast_lb_vrrp_state{state="fault"} 0',
      "holdfast_lb_fit 1",
      "holdfast_lb_draining 0",
      "holdfast_lb_peer_alive 1",
    ]);
  });

  it("say nothing of a peer where there is none", () => {
    expect(
      balancerMetrics({ vrrp: "BACKUP", fit: false, draining: true, peerAlive: undefined }),
    ).not.toContain("peer_alive");
  });
});
