import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { alertingRule, type DeclaredAlert } from "../../model/alerts";
import { alertTopology } from "../../model/alertsGeneric";
import {
  alertingSchema,
  alertmanagerFiles,
  inhibitRules,
  routesOf,
} from "../../model/alertsRouting";
import { stackAlerts, stackRules } from "../../model/alertsStack";
import { longestPauseSeconds } from "../../components/backup.alerts";
import { projectRoot } from "../../model/rendering";
import { settingTexts } from "../../model/schemaText";
import { clockOf, sloSchema } from "../../model/slo";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { alertCases, allAlerts, fullPlan } from "./support/alertFiles";

const slo = sloSchema.parse({});
const routes = routesOf(clockOf(slo));
const alerts = allAlerts();
const names = alerts.map(({ name }) => name).sort();
const runbooks = path.join(projectRoot, "docs/runbooks");

describe("alerts", () => {
  it("have a name that is a file's, and only one of each", () => {
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[A-Z][A-Za-z]+$/);
  });

  it("have each a case in which they fire, and one in which they stay silent", () => {
    expect([...new Set(alertCases.map(({ alert }) => alert))].sort()).toEqual(names);
    for (const { alert, silent } of alertCases) {
      if (alert !== "Watchdog") expect(silent, alert).toBeDefined();
    }
  });

  it("speak only of labels that they have", () => {
    for (const { alert, fires } of alertCases) {
      const { summary } = alerts.find(({ name }) => name === alert)!;
      for (const [, label = ""] of summary.matchAll(/\$labels\.(\w+)/g)) {
        expect(Object.keys(fires.labels), alert).toContain(label);
      }
    }
  });

  it("say who loses what, and link to their runbook", () => {
    const primary = alerts.find(({ name }) => name === "MysqlNoPrimary")!;
    expect(alertingRule(primary, clockOf(slo), "https://example.com/runbooks/")).toEqual({
      alert: "MysqlNoPrimary",
      expr: '(count by (tier) (holdfast_mysql_serving{endpoint="primary"} == 1) or 0 * count by (tier) (up{job="mysql-agent"})) == 0',
      for: "15s",
      keep_firing_for: "15s",
      labels: {
        severity: "page",
        scope: "tier",
        service_class: "critical",
        tier: "mysqlCluster",
      },
      annotations: {
        summary: "No database member takes writes",
        runbook_url: "https://example.com/runbooks/MysqlNoPrimary.md",
      },
    });
  });

  it("are those of the tiers that the stack has", () => {
    const of = (raw: Record<string, unknown>) =>
      stackAlerts(readPlan(tiers, raw), slo).map(({ name }) => name);
    expect(of({})).not.toContain("MysqlNoPrimary");
    expect(of({})).toContain("LoadBalancerWithoutStandby");
    expect(of({})).not.toContain("DiskFilling");
    expect(of({ monitoring: { count: 1 } })).toEqual(
      expect.arrayContaining(["DiskFilling", "PrometheusDown", "Watchdog"]),
    );
    expect(of({ mysqlCluster: { count: 1 } })).toContain("MysqlNoPrimary");
    expect(of({ mysqlCluster: { count: 1 } })).not.toContain("MysqlMemberMissing");
    const alone = { loadBalancer: { count: 0 }, webPool: { count: 1 }, appPool: { count: 1 } };
    expect(of(alone)).not.toContain("NodeOutOfService");
    expect(of(alone)).toContain("VipProbeFailing");
  });

  it("know what clients meet first", () => {
    expect(alertTopology(fullPlan)).toEqual({
      edgeTier: "loadBalancer",
      httpEndpoints: ["app", "web"],
      switching: [],
    });
    const alone = { loadBalancer: { count: 0 }, webPool: { count: 1 }, appPool: { count: 1 } };
    expect(alertTopology(readPlan(tiers, alone))).toEqual({
      edgeTier: "webPool",
      httpEndpoints: [],
      switching: [],
    });
  });

  it("count a node that is being switched to TLS by either of its backends", () => {
    const rulesOf = (tls: string) => {
      const plan = readPlan(tiers, { monitoring: { count: 1 }, webPool: { tls } });
      return stackRules({ plan, slo, runbooks: "x", polledRoutes: [] });
    };
    const plain = 'haproxy_server_status{proxy=~"web-plain",state="UP"}';
    expect(rulesOf("prefer")).toContain(`unless on (node) max by (node) (label_replace(${plain}`);
    for (const tls of ["off", "require"]) expect(rulesOf(tls)).not.toContain("web-plain");
  });

  it("measure requests at the edge alone", () => {
    const rules = stackRules({ plan: fullPlan, slo, runbooks: "x", polledRoutes: [] });
    expect(rules).toContain('haproxy_frontend_http_responses_total{proxy=~"web"}');
  });
});

describe("schedules", () => {
  it.each([
    ["0 3 * * *", 24],
    ["0 */6 * * *", 6],
    ["30 2 * * 1-5", 72],
    ["0 3 1 * *", 31 * 24],
    ["0 3 30 2 *", 366 * 24],
  ])("%s pauses for %d hours at most", (schedule, hours) => {
    expect(longestPauseSeconds(schedule)).toBe(hours * 3600);
  });
});

describe("runbooks", () => {
  const files = readdirSync(runbooks).filter((file) => file !== "README.md");
  const sections = [
    "What it means",
    "What users see",
    "First look",
    "Remedy",
    "How this was tested",
  ];

  it("are there for every alert, and for nothing else", () => {
    expect(files.map((file) => file.replace(/\.md$/, "")).sort()).toEqual(names);
  });

  it.each(files)("%s answers the five questions", (file) => {
    const text = readFileSync(path.join(runbooks, file), "utf8");
    expect(text.split("\n")[0]).toBe(`# ${file.replace(/\.md$/, "")}`);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual(sections);
    for (const part of text.split(/^## .*$/m).slice(1)) expect(part.trim()).not.toBe("");
  });

  it("are listed", () => {
    const list = readFileSync(path.join(runbooks, "README.md"), "utf8");
    expect([...list.matchAll(/\]\((\w+)\.md\)/g)].map(([, name]) => name).sort()).toEqual(names);
  });
});

/** Labels of an alert as Alertmanager gets it. */
type Labels = Readonly<Record<string, string>>;

function matches(matchers: readonly string[], labels: Labels): boolean {
  return matchers.every((matcher) => {
    const [, label = "", operator, text = ""] = /^(\w+)(=~|=)"(.*)"$/.exec(matcher) ?? [];
    if (operator === undefined) throw new Error(`matcher ${matcher}: not understood`);
    const value = labels[label] ?? "";
    return operator === "=" ? value === text : new RegExp(`^(?:${text})$`).test(value);
  });
}

/** Notifications that Alertmanager sends for alerts that fire together. */
function notifications(firing: readonly Labels[]): readonly string[] {
  const silenced = (target: Labels) =>
    inhibitRules.some(
      (rule) =>
        matches(rule.target_matchers, target) &&
        firing.some(
          (source) =>
            source !== target &&
            matches(rule.source_matchers, source) &&
            rule.equal.every((label) => (source[label] ?? "") === (target[label] ?? "")),
        ),
    );
  const sent = firing
    .filter((labels) => !silenced(labels))
    .flatMap((labels) => {
      const route = routes.routes.find(({ matchers }) => matches(matchers, labels));
      const { receiver } = route ?? routes;
      if (receiver === "nobody" || receiver === "dead-mans-switch") return [];
      const groupBy = route && "group_by" in route ? route.group_by : routes.group_by;
      return [`${receiver} ${groupBy.map((label) => labels[label] ?? "").join("/")}`];
    });
  return [...new Set(sent)];
}

function fired(name: string, place: Labels = {}): Labels {
  const alert: DeclaredAlert = alerts.find((each) => each.name === name)!;
  return {
    stack: "dev",
    alertname: name,
    ...place,
    ...alertingRule(alert, clockOf(slo), "x").labels,
  };
}

const at = (node: string, tier: string) => ({ node, tier, machine: `vm-${node}` });
const machineTarget = (node: string) => ({
  node: `machine-vm-${node}`,
  tier: "machineExporter",
  machine: `vm-${node}`,
  job: "machine-node",
});

describe("one fault is one page", () => {
  const watchdog = fired("Watchdog");
  const lb = (node: string) => at(node, "loadBalancer");
  const mysql = (node: string) => at(node, "mysqlCluster");
  const faults: Readonly<Record<string, { fires: readonly Labels[]; page: string }>> = {
    "the machine of a load balancer": {
      fires: [
        fired("LoadBalancerWithoutStandby", lb("lb-b")),
        fired("TargetDown", { ...lb("lb-b"), job: "lb-status" }),
        fired("TargetDown", machineTarget("lb-b")),
      ],
      page: "page dev/LoadBalancerWithoutStandby/loadBalancer/vm-lb-b",
    },
    "both load balancers": {
      fires: [
        fired("VipProbeFailing", { instance: "https://10.77.0.5/" }),
        fired("VipProbeFailing", { instance: "http://10.77.0.5/" }),
        fired("LoadBalancerWithoutStandby", lb("lb-a")),
        fired("LoadBalancerWithoutStandby", lb("lb-b")),
        fired("TargetDown", { ...lb("lb-a"), job: "lb-status" }),
        fired("TargetDown", { ...lb("lb-b"), job: "lb-status" }),
      ],
      page: "page dev/VipProbeFailing",
    },
    "two masters": {
      fires: [fired("LoadBalancerTwoMasters"), fired("VipProbeFailing", { instance: "x" })],
      page: "page dev/LoadBalancerTwoMasters/loadBalancer/",
    },
    "a certificate that nobody trusts": {
      fires: [
        fired("EdgeCertificateMissing"),
        fired("VipProbeFailing", { instance: "https://10.77.0.5/" }),
      ],
      page: "page dev/EdgeCertificateMissing/loadBalancer/",
    },
    "the machine of a web node": {
      fires: [
        fired("NodeOutOfService", at("web-a", "webPool")),
        fired("TargetDown", { ...at("web-a", "webPool"), job: "web-nginx" }),
        fired("TargetDown", machineTarget("web-a")),
      ],
      page: "ticket dev/NodeOutOfService/webPool/vm-web-a",
    },
    "every application node": {
      fires: [fired("VipProbeFailing", { instance: "x" }), fired("RequestsFailing")],
      page: "page dev/VipProbeFailing",
    },
    "a database member": {
      fires: [
        fired("MysqlMemberMissing", mysql("mysql-b")),
        fired("MysqlMemberExpelled", mysql("mysql-b")),
        fired("TargetDown", { ...mysql("mysql-b"), job: "mysql-agent" }),
        fired("TargetDown", machineTarget("mysql-b")),
      ],
      page: "page dev/MysqlMemberMissing/mysqlCluster/vm-mysql-b",
    },
    "the database's majority": {
      fires: [
        fired("MysqlNoPrimary"),
        fired("RequestsFailing"),
        fired("MysqlMemberMissing", mysql("mysql-a")),
        fired("MysqlMemberMissing", mysql("mysql-b")),
        fired("MysqlMemberMissing", mysql("mysql-c")),
        fired("TargetDown", { ...mysql("mysql-a"), job: "mysql-agent" }),
      ],
      page: "page dev/MysqlNoPrimary/mysqlCluster/",
    },
    "the cache": {
      fires: [
        fired("RedisNoMaster"),
        fired("TargetDown", { ...at("redis-a", "redisCache"), job: "redis-agent" }),
        fired("TargetDown", { ...at("redis-b", "redisCache"), job: "redis-agent" }),
      ],
      page: "page dev/RedisNoMaster/redisCache/",
    },
    "the machine of a cache's node": {
      fires: [
        fired("TargetDown", { ...at("redis-b", "redisCache"), job: "redis-agent" }),
        fired("TargetDown", machineTarget("redis-b")),
      ],
      page: "ticket dev/TargetDown/vm-redis-b",
    },
    "the machine of a monitor": {
      fires: [
        fired("PrometheusDown", at("monitor-a", "monitoring")),
        fired("AlertmanagerDown", at("monitor-a", "monitoring")),
        fired("TargetDown", { ...at("monitor-a", "monitoring"), job: "monitor-blackbox" }),
        fired("TargetDown", machineTarget("monitor-a")),
      ],
      page: "page dev/PrometheusDown/monitoring/vm-monitor-a",
    },
    "an Alertmanager": {
      fires: [
        fired("AlertmanagerDown", at("monitor-b", "monitoring")),
        fired("TargetDown", { ...at("monitor-b", "monitoring"), job: "monitor-alertmanager" }),
      ],
      page: "page dev/AlertmanagerDown/monitoring/vm-monitor-b",
    },
    "a disk that machines share": {
      fires: ["web-a", "web-b", "lb-a"].map((node) =>
        fired("DiskFilling", { machine: `vm-${node}`, device: "/dev/vda1" }),
      ),
      page: "page dev/DiskFilling",
    },
    "a slow application": {
      fires: [fired("LatencyBudgetBurnFast"), fired("LatencyBudgetBurnSlow")],
      page: "page dev/LatencyBudgetBurnFast//",
    },
  };

  it.each(Object.entries(faults))("%s", (_name, { fires, page }) => {
    expect(notifications([watchdog, ...fires])).toEqual([page]);
  });

  it("and nobody is told of nodes that an update replaces", () => {
    const running = fired("DeployRunning");
    const replaced = fired("NodeOutOfService", at("web-a", "webPool"));
    expect(notifications([watchdog, running, replaced])).toEqual([]);
    expect(notifications([running, replaced, fired("VipProbeFailing", { instance: "x" })])).toEqual(
      ["page dev/VipProbeFailing"],
    );
    expect(notifications([running, fired("AvailabilityBudgetBurnFast")])).toHaveLength(1);
  });

  it("but two faults are two, and one stack does not silence another", () => {
    const missing = fired("MysqlMemberMissing", mysql("mysql-b"));
    expect(notifications([missing, fired("RedisNoMaster")])).toHaveLength(2);
    const web = at("web-a", "webPool");
    expect(
      notifications([missing, fired("TargetDown", { ...web, job: "web-nginx" })]),
    ).toHaveLength(2);
    // The cache is not what users need: without it they may still be cut off by something else.
    expect(
      notifications([fired("RedisNoMaster"), fired("VipProbeFailing", { instance: "x" })]),
    ).toHaveLength(2);
    const elsewhere = { ...fired("VipProbeFailing", { instance: "x" }), stack: "prod" };
    expect(notifications([fired("MysqlNoPrimary"), elsewhere])).toHaveLength(2);
  });
});

describe("Alertmanager's configuration", () => {
  const raw = {
    receivers: {
      oncall: { email: "oncall@example.com", severities: ["page"] },
      chat: { webhook: "https://chat.example.com/hook?token=abc" },
    },
    smtp: { server: "mail.example.com:587", user: "holdfast", password: "hunter2" },
    deadMansSwitch: "https://watch.example.com/ping/xyz",
  };
  const { config, secrets } = alertmanagerFiles(alertingSchema.parse(raw));
  interface Config {
    readonly global: Readonly<Record<string, unknown>>;
    readonly receivers: readonly Readonly<Record<string, unknown[] | string>>[];
  }
  const parsed = parse(config) as Config;
  const receiver = (name: string) => parsed.receivers.find((each) => each["name"] === name)!;

  it("keeps every secret in a file", () => {
    for (const secret of ["token=abc", "hunter2", "xyz"]) expect(config).not.toContain(secret);
    expect(secrets).toEqual({
      "alertmanager-smtp-password": "hunter2",
      "alertmanager-webhook-chat": "https://chat.example.com/hook?token=abc",
      "alertmanager-dead-mans-switch": "https://watch.example.com/ping/xyz",
    });
    for (const file of Object.keys(secrets)) expect(config).toContain(`/run/secrets/${file}`);
  });

  it("tells each receiver what it wants, and of the end", () => {
    expect(receiver("page")["email_configs"]).toMatchObject([
      { to: "oncall@example.com", send_resolved: true },
    ]);
    expect(receiver("page")["webhook_configs"]).toHaveLength(1);
    expect(receiver("ticket")["email_configs"]).toBeUndefined();
    expect(receiver("ticket")["webhook_configs"]).toMatchObject([{ send_resolved: true }]);
    expect(receiver("nobody")).toEqual({ name: "nobody" });
  });

  it("tells of an end sooner where days are minutes, and waits as long before the first message", () => {
    const [usual, scaled] = [1, 540].map((timeScale) => {
      const { group_wait, group_interval, routes: inner } = routesOf(clockOf({ timeScale }));
      return [group_wait, group_interval, inner[0].group_interval, inner[0].repeat_interval];
    });
    expect(usual).toEqual(["10s", "1m", "30s", "1m"]);
    expect(scaled).toEqual(["10s", "15s", "10s", "20s"]);
  });

  it("has no mail server and no secrets where nobody is told", () => {
    const empty = alertmanagerFiles(alertingSchema.parse({}));
    expect(empty.secrets).toEqual({});
    expect(parse(empty.config)).toMatchObject({ global: {} });
  });

  it.each([
    [{ receivers: { a: {} } }, "receivers.a.email"],
    [{ receivers: { a: { email: "a@example.com", webhook: "https://x/" } } }, "receivers.a.email"],
    [{ receivers: { a: { email: "a@example.com" } } }, "smtp.server"],
    [{ receivers: { a: { webhook: "ftp://x/" } } }, "receivers.a.webhook"],
    [{ smtp: { server: "mail.example.com" } }, "smtp.server"],
    [{ receivers: { "A b": { webhook: "https://x/" } } }, "receivers.A b"],
  ])("refuses %j", (wrong, where) => {
    const { error } = alertingSchema.safeParse(wrong);
    expect(error?.issues.map((issue) => issue.path.join("."))).toContain(where);
  });

  it("documents every setting", () => {
    for (const { path: key, description } of settingTexts(alertingSchema)) {
      expect(description, key.join(".")).not.toBe("");
    }
  });
});
