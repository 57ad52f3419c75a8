import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseGrant } from "../../agents/mysql/accounts";
import { monitoringFiles } from "../../components/monitoring.files";
import { accountGrants, accountsOf, mysqlAccounts } from "../../components/mysqlCluster.files";
import { redisAccountsOf } from "../../components/redisCache.files";
import {
  exporterCommands,
  exporterTiers,
  mysqlLogin,
  redisLogins,
  type ExporterTier,
} from "../../components/serviceExporter.files";
import { webPoolFiles } from "../../components/webPool.files";
import { allowedElements, connections } from "../../model/connections";
import { stackDashboards } from "../../model/dashboards";
import { architectureDiagram } from "../../model/diagram";
import { scrapeJobs } from "../../model/scrapes";
import { singlePoints } from "../../model/spof";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { inventory } from "./support/settings";

const data = { mysqlCluster: { count: 3 }, redisCache: { count: 3 } };
const watched = { ...data, monitoring: { count: 2 } };
const planOf = (raw: Record<string, unknown>) => readPlan(tiers, raw);

const placesOf = (raw: Record<string, unknown>, tier: ExporterTier) =>
  planOf(raw).tiers[tier].nodes.map(({ key, machine }) => `${key} on ${machine.key}`);

describe("exporters of the services", () => {
  it("stand beside each node of their service where there is monitoring", () => {
    expect(exporterTiers.map((tier) => placesOf(watched, tier))).toEqual([
      ["a", "b", "c"].map((letter) => `exporter-mysql-${letter} on vm-mysql-${letter}`),
      ["a", "b", "c"].map((letter) => `exporter-redis-${letter} on vm-redis-${letter}`),
      ["a", "b"].map((letter) => `exporter-nginx-${letter} on vm-web-${letter}`),
    ]);
  });

  it("are not there without monitoring, or without their service", () => {
    expect(exporterTiers.flatMap((tier) => placesOf(data, tier))).toEqual([]);
    const small = { monitoring: { count: 1 } };
    expect(exporterTiers.map((tier) => placesOf(small, tier).length)).toEqual([0, 0, 2]);
  });

  it("stand where several nodes share a machine, each with its own port", () => {
    const raw = {
      ...inventory,
      mysqlCluster: { count: 3, machines: ["n3", "n4", "n5"] },
      redisCache: { count: 3, machines: ["n3", "n4", "n5"] },
      monitoring: { count: 1, machines: ["n5"] },
    };
    expect(placesOf(raw, "mysqlExporter")).toContain("exporter-mysql-a on n3");
    expect(placesOf(raw, "redisExporter")).toContain("exporter-redis-a on n3");
  });

  it("are no single point of failure, and have no machines of their own", () => {
    const plan = planOf(watched);
    const lost = singlePoints(plan).flatMap((point) => point.tiers);
    for (const tier of exporterTiers) expect(lost).not.toContain(tier);
    expect(plan.machines.filter(({ key }) => key.includes("exporter"))).toEqual([]);
  });

  it.each([
    [
      "mysqlExporter",
      [
        "prometheus-mysqld-exporter",
        "--web.listen-address=10.77.0.41:9104",
        "--web.config.file=/etc/holdfast/web.yml",
        "--mysqld.address=10.77.0.41:3306",
        "--config.my-cnf=/run/secrets/exporter",
        "--collect.global_status",
        "--collect.perf_schema.replication_group_member_stats",
        "--no-collect.global_variables",
        "--no-collect.slave_status",
        "--no-collect.info_schema.innodb_cmp",
        "--no-collect.info_schema.innodb_cmpmem",
        "--no-collect.info_schema.query_response_time",
        "--log.format=json",
      ],
    ],
    [
      "redisExporter",
      [
        "prometheus-redis-exporter",
        "-web.listen-address=10.77.0.51:9121",
        "-tls-server-cert-file=/etc/holdfast/tls/node.pem",
        "-tls-server-key-file=/etc/holdfast/tls/node.key",
        "-tls-server-min-version=TLS1.2",
        "-redis.addr=",
        "-redis.user=exporter",
        "-redis.password-file=/run/secrets/exporter",
        "-tls-ca-cert-file=/etc/holdfast/tls/ca.pem",
        "-config-command=-",
        "-exclude-latency-histogram-metrics",
        "-connection-timeout=3s",
        "-log-format=json",
      ],
    ],
    [
      "nginxExporter",
      [
        "prometheus-nginx-exporter",
        "--web.listen-address=10.77.0.21:9113",
        "--web.config.file=/etc/holdfast/web.yml",
        "--nginx.scrape-uri=http://127.0.0.1:8090/nginx_status",
        "--nginx.timeout=3s",
        "--log.format=json",
      ],
    ],
  ] as const)("run as %s: the service of their own machine alone", (tier, command) => {
    const plan = planOf(watched);
    expect(exporterCommands[tier](plan, plan.tiers[tier].nodes[0]!)).toEqual(command);
    const plain = command.filter((each) => !/^--?(web\.config|tls-server)/.test(each));
    for (const metricsTls of ["off", "prefer"]) {
      const before = planOf({ ...watched, pki: { metricsTls } });
      expect(exporterCommands[tier](before, before.tiers[tier].nodes[0]!)).toEqual(plain);
    }
  });

  it("find nginx where the web node says that it tells of itself", () => {
    const plan = planOf(watched);
    const config = webPoolFiles(plan, plan.tiers.webPool.nodes[0]!)["/etc/nginx/nginx.conf"]!;
    expect(config).toContain("listen 127.0.0.1:8090;");
    expect(config).toContain("location = /nginx_status {");
  });
});

describe("accounts of the exporters", () => {
  it("are there where the exporters are", () => {
    expect(accountsOf(planOf(watched))).toEqual([...accountsOf(planOf(data)), "exporter"]);
    expect(accountsOf(planOf(data))).toEqual([
      "replication",
      "app",
      "migration",
      "backup",
      "restore",
    ]);
    expect(redisAccountsOf(planOf(watched))).toEqual([
      ...redisAccountsOf(planOf(data)),
      "exporter",
    ]);
    expect(redisAccountsOf(planOf(data))).toEqual(["app", "replica", "sentinel", "agent"]);
  });

  it("change nothing of the others in the database, and may read one table of counters", () => {
    const others = Object.fromEntries(
      accountsOf(planOf(data)).map((account) => [account, [`${account}-1`]]),
    ) as Record<"replication", string[]>;
    const without = mysqlAccounts("app", 1, others);
    const all = mysqlAccounts("app", 1, { ...others, exporter: ["e-2", "e-1"] });
    expect(all).toEqual({
      ...without,
      accounts: [
        ...without.accounts,
        { name: "exporter", passwords: ["e-2", "e-1"], grants: accountGrants("app").exporter },
      ],
    });
    expect(without.accounts.map(({ name }) => name)).not.toContain("exporter");
    const privileges = accountGrants("app").exporter.flatMap((grant) => [
      ...parseGrant(grant).keys(),
    ]);
    expect(privileges).toEqual(["SELECT on performance_schema.replication_group_member_stats"]);
  });

  it("log in over TLS by the stack's authority", () => {
    expect(mysqlLogin("secret")).toBe(
      "[client]\nuser = exporter\npassword = secret\nssl-ca = /etc/holdfast/tls/ca.pem\n",
    );
    const plan = planOf(watched);
    expect(JSON.parse(redisLogins(plan, plan.tiers.redisExporter.nodes[1]!, "secret"))).toEqual({
      "rediss://exporter@10.77.0.52:6379": "secret",
      "rediss://exporter@10.77.0.52:26379": "secret",
    });
  });
});

describe("what the exporters tell", () => {
  it("is fetched from each, of Redis and of Sentinel by turns", () => {
    const jobs = scrapeJobs(planOf(watched)).filter(({ job }) => job.startsWith("exporter-"));
    expect(jobs.map(({ job, path, targets }) => [job, path, targets.length])).toEqual([
      ["exporter-mysql-server", "/metrics", 3],
      ["exporter-redis-redis", "/scrape", 3],
      ["exporter-redis-sentinel", "/scrape", 3],
      ["exporter-nginx-server", "/metrics", 2],
    ]);
    expect(jobs[2]?.targets[0]).toEqual({
      target: "10.77.0.51:9121",
      tier: "redisExporter",
      node: "exporter-redis-a",
      machine: "vm-redis-a",
      about: "rediss://10.77.0.51:26379",
    });
    expect(jobs[0]?.targets[0]).not.toHaveProperty("about");
  });

  it("is asked for by Prometheus with the service as parameter, where there are two", () => {
    const plan = planOf(watched);
    const files = monitoringFiles(plan, plan.tiers.monitoring.nodes[0]!, "unit");
    const config = parse(files["/etc/holdfast/prometheus.yml"]!) as {
      scrape_configs: { job_name: string; static_configs: { labels: Record<string, string> }[] }[];
    };
    const labelsOf = (job: string) =>
      config.scrape_configs.find(({ job_name: name }) => name === job)?.static_configs[0]?.labels;
    expect(labelsOf("exporter-redis-redis")).toEqual({
      tier: "redisExporter",
      node: "exporter-redis-a",
      machine: "vm-redis-a",
      __param_target: "rediss://10.77.0.51:6379",
    });
    expect(labelsOf("exporter-mysql-server")).not.toHaveProperty("__param_target");
  });

  it("is the monitors' alone to fetch, and the services are asked on their own machine", () => {
    const plan = planOf(watched);
    const monitors = ["10.77.0.61/32", "10.77.0.62/32"];
    const from = (machine: string, port: number) =>
      allowedElements(plan, machine)
        .filter((element) => element.port === port)
        .map(({ source }) => source);
    expect(from("vm-mysql-a", 9104)).toEqual(monitors);
    expect(from("vm-redis-a", 9121)).toEqual(monitors);
    expect(from("vm-web-a", 9113)).toEqual(monitors);
    const asked = connections(plan).filter(({ source }) => source === "redisExporter");
    expect(asked.map(({ fromNode, toNode, port }) => `${fromNode} ${toNode} ${port}`)).toEqual(
      [6379, 26379].flatMap((port) =>
        ["a", "b", "c"].map((letter) => `exporter-redis-${letter} redis-${letter} ${port}`),
      ),
    );
    for (const { from: source, to } of asked) {
      expect(source).toBe(`${plan.machines.find(({ key }) => key === to)!.address}/32`);
    }
    expect(architectureDiagram(plan)).toContain(
      'mysqlExporter -->|"mysql: tcp 3306"| mysqlCluster',
    );
  });

  it("opens nothing more at the services, nor at the load balancers", () => {
    const [plan, before] = [planOf(watched), planOf(data)];
    const added = (machine: string) =>
      allowedElements(plan, machine)
        .filter(({ source }) => !/^10\.77\.0\.6[12]\//.test(source))
        .map((element) => JSON.stringify(element));
    const had = (machine: string) =>
      allowedElements(before, machine).map((element) => JSON.stringify(element));
    for (const machine of ["vm-mysql-a", "vm-redis-a", "vm-lb-a"]) {
      expect(added(machine)).toEqual(had(machine));
    }
  });

  it("is shown with the service that it is about", () => {
    const dashboards = stackDashboards(planOf(watched));
    const sections = (title: string) =>
      dashboards.find((each) => each.title === title)?.sections.map((section) => section.title);
    expect(sections("MySQL")).toEqual([
      "MySQL",
      "MySQL server",
      "Seen from the load balancers",
      "Nodes",
      "Machines",
    ]);
    expect(sections("Redis")).toEqual(["Redis", "Redis and Sentinel", "Nodes", "Machines"]);
    expect(sections("Web")?.[0]).toBe("nginx");
    const own = exporterTiers.map((tier) => `holdfast-${tier}`);
    expect(dashboards.filter(({ uid }) => own.includes(uid))).toEqual([]);
  });
});
