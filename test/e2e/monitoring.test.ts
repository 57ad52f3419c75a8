import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { monitoringVolume } from "../../components/monitoring.files";
import type { AvailabilityReport } from "../../model/availabilityReport";
import { alertingSchema, alertmanagerFiles } from "../../model/alertsRouting";
import { rateRange } from "../../model/dashboardGeneric";
import { stackDashboards } from "../../model/dashboards";
import { projectRoot } from "../../model/rendering";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { mustRun, type Fault } from "../faults/fault";
import { machineKilled } from "../faults/machineKilled";
import { nodesKilled } from "../faults/nodesKilled";
import { nodeStopped } from "../faults/nodeStopped";
import { Figures } from "../support/figures";
import { LiveStack } from "../support/liveStack";
import { eventually } from "../support/measure";
import { machineOf, MonitoredStack } from "../support/monitoredStack";
import { brokenRules, query, targets, valueTimes } from "../support/prometheus";
import { promtoolFiles } from "../unit/support/alertFiles";

const cidr = "10.88.0.0/24";
const settings = {
  machines: { network: cidr },
  mysqlCluster: { count: 1 },
  monitoring: { count: 2 },
};
/** Seconds within which somebody must have been told. */
const toldWithin = 60;
/** Seconds in which the end of an alert is told: its last evaluation, and a turn of its group. */
const overWithin = 150;

/** Lines of panels that tell of what a healthy stack does not have. */
const emptyWhileWell: readonly string[] = [
  "Overview: Error budget: Alerts that fire: {{alertname}}",
];

/** Every query of every panel, as the panel asks it, with a name for people. */
const panelQueries = () =>
  stackDashboards(readPlan(tiers, settings)).flatMap(({ title, sections }) =>
    sections.flatMap((section) =>
      section.panels.flatMap((panel) =>
        panel.queries.map(({ expr, legend }) => ({
          name: `${title}: ${section.title}: ${panel.title}: ${legend}`,
          expr: expr.replaceAll(rateRange, "30s"),
        })),
      ),
    ),
  );

/** The first of those that must be there. */
function first<T>([one]: readonly T[]): T {
  if (one === undefined) throw new Error("found none");
  return one;
}

/** What `make availability` has written. */
function readReport(): AvailabilityReport {
  const file = path.join(projectRoot, "reports", "availability-monitoring.json");
  return JSON.parse(readFileSync(file, "utf8")) as AvailabilityReport;
}

const stack = new LiveStack("monitoring", settings);
const figures = new Figures("monitoring");
const monitored = new MonitoredStack(stack, cidr);
const { sink, mails } = monitored;

describe("a live stack with monitoring", () => {
  const monitors = () => monitored.monitors;
  const readers = () => monitored.readers;

  beforeAll(async () => {
    await monitored.listen();
    await stack.make("down");
    await stack.init();
    const { seconds } = await stack.mustUp();
    figures.record("first up with monitoring", seconds, "s");
    await monitored.learn();
  });

  afterAll(async () => {
    console.log(`figures written to ${figures.write()}`);
    await monitored.close();
    const down = await stack.make("down");
    expect(down.ok, down.output).toBe(true);
  });

  describe("at rest", () => {
    it("has every target up, seen from each monitor", async () => {
      expect(monitors()).toHaveLength(2);
      for (const monitor of monitors()) {
        await eventually(`all targets of ${monitor.url} are up`, 60, async () => {
          const found = await targets(monitor);
          return found.length > 0 && found.every(({ health }) => health === "up");
        });
        const jobs = new Set((await targets(monitor)).map(({ job }) => job));
        expect([...jobs].sort()).toEqual([
          "app-http",
          "exporter-mysql-server",
          "exporter-nginx-server",
          "lb-status",
          "lb-supervisor",
          "machine-node",
          "monitor-agent",
          "monitor-alertmanager",
          "monitor-blackbox",
          "monitor-prometheus",
          "mysql-agent",
          "probe-edge",
        ]);
      }
    });

    it("evaluates every rule, and finds the stack up", async () => {
      await monitored.allQuiet(120);
      for (const monitor of monitors()) {
        // Until its first turn a rule is neither right nor wrong.
        await eventually(`${monitor.url} has evaluated its rules`, 90, async () =>
          (await brokenRules(monitor)).every((text) => !text.endsWith(": unknown")),
        );
        expect(await brokenRules(monitor)).toEqual([]);
        expect(await query(monitor, 'probe_success{job="probe-edge"} == 0')).toEqual([]);
        expect(await query(monitor, 'probe_success{job="probe-edge"}')).toHaveLength(4);
        expect((await query(monitor, "slo:down:bool")).map(({ value }) => value)).toEqual([0]);
        const masters = await query(monitor, 'sum(holdfast_lb_vrrp_state{state="master"})');
        expect(masters.map(({ value }) => value)).toEqual([1]);
      }
    });

    it("has exporters that get in at their services", async () => {
      const monitor = first(monitors());
      for (const [name, services] of [
        ["mysql_up", 1],
        ["nginx_up", 2],
      ] as const) {
        const values = (await query(monitor, name)).map(({ value }) => value);
        expect(values, name).toEqual(Array.from({ length: services }, () => 1));
      }
    });

    it("tells of every node when the first of its certificates ends", async () => {
      const { nodes } = await stack.outputs();
      const told = await query(
        first(monitors()),
        "(holdfast_certificate_expiry_timestamp_seconds - time()) / 86400",
      );
      expect(told.map(({ metric }) => metric["certificate"]).sort()).toEqual(
        Object.values(nodes).flatMap(Object.keys).sort(),
      );
      for (const { metric, value } of told) {
        expect(value, metric["certificate"]).toBeGreaterThan(364);
        expect(value, metric["certificate"]).toBeLessThan(366);
      }
    });

    it("answers queries at each reader out of what both have recorded", async () => {
      for (const reader of readers()) {
        expect((await query(reader, "slo:down:bool")).map(({ value }) => value)).toEqual([0]);
      }
    });

    it("has data for every panel, but for those that are empty while all is well", async () => {
      const reader = first(readers());
      const panels = panelQueries();
      const empty: string[] = [];
      for (const { name, expr } of panels) {
        if ((await query(reader, expr)).length === 0) empty.push(name);
      }
      figures.record("queries of panels", panels.length, "");
      expect(empty).toEqual(emptyWhileWell);
    });

    it("has its Alertmanagers in one cluster, and its dead man's switch is heard", async () => {
      for (const monitor of monitors()) {
        await eventually(
          `both Alertmanagers know each other, as ${monitor.url} sees it`,
          60,
          async () => {
            const sizes = await query(monitor, "alertmanager_cluster_members");
            return sizes.length === 2 && sizes.every(({ value }) => value === 2);
          },
        );
      }
      await eventually("the dead man's switch is heard", 120, () =>
        Promise.resolve(sink.pages.some(({ path: at }) => at === "/alive")),
      );
    });

    it("has rules that the programs of its own image accept, and alerts that fire as they must", async () => {
      const { config } = alertmanagerFiles(
        alertingSchema.parse({ receivers: { sink: { webhook: "https://example.com/hook" } } }),
      );
      const files = Object.entries({ ...promtoolFiles(), "alertmanager.yml": config });
      const script = [
        "set -e",
        "cd /tmp",
        ...files.map(([name, text]) => `cat > ${name} <<'HOLDFAST'\n${text}\nHOLDFAST`),
        "promtool check rules rules-*.yml",
        "promtool test rules test-*.yml",
        "amtool check-config alertmanager.yml",
      ].join("\n");
      const machine = machineOf("monitor-a");
      const image = await mustRun(stack, machine, "docker inspect -f '{{.Image}}' monitor-a");
      const run = `docker run --rm -i --network none --tmpfs /tmp --entrypoint sh ${image.trim()} -s`;
      const output = await mustRun(stack, machine, run, { input: script, timeoutSeconds: 300 });
      expect(output.match(/SUCCESS/g)?.length).toBeGreaterThan(files.length - 1);
    });

    it("changes nothing in an update without a change, which leaves its marker", async () => {
      const up = await stack.make("up");
      expect(up.ok, up.output).toBe(true);
      expect((await stack.preview()).changes).toEqual({});
      const monitor = first(monitors());
      await eventually("the marker has been read", 30, async () => {
        const finished = await query(monitor, "max(holdfast_deploy_finished_timestamp_seconds)");
        return finished.length === 1 && Date.now() / 1000 - (finished[0]?.value ?? 0) < 120;
      });
      await monitored.allQuiet(60);
    });

    it("reports a day whose outages are known to the second, each seen by one monitor alone", async () => {
      const day = Math.floor(Date.now() / 86_400_000 - 1) * 86_400;
      const at = (minutes: number) => day + minutes * 60;
      const [failure, maintenance] = [
        [at(20), at(57)],
        [at(80), at(95)],
      ] as const;
      const within = (time: number, [from, to]: readonly [number, number]) =>
        time >= from && time < to;
      const recorded = (down: readonly [number, number]) => {
        const times = Array.from({ length: (at(120) - day) / 5 }, (_, n) => day + n * 5);
        const lines = (name: string, period: readonly [number, number]) => [
          `# TYPE ${name} gauge`,
          ...times.map((time) => `${name} ${within(time, period) ? 1 : 0} ${time}`),
        ];
        return [
          ...lines("slo:down:bool", down),
          ...lines("slo:planned:bool", maintenance),
          "# EOF\n",
        ].join("\n");
      };
      for (const [node, outage] of [
        ["monitor-a", failure],
        ["monitor-b", maintenance],
      ] as const) {
        const file = `${monitoringVolume}/day.txt`;
        const load = `cat > ${file} && promtool tsdb create-blocks-from openmetrics ${file} ${monitoringVolume}/prometheus && rm ${file}`;
        await mustRun(stack, machineOf(node), `docker exec -i ${node} sh -c '${load}'`, {
          input: recorded(outage),
          timeoutSeconds: 60,
        });
      }
      const asked = new Date(at(60) * 1000).toISOString();
      await eventually("every monitor has the blocks", 120, async () => {
        const seen = await Promise.all(
          monitors().map((monitor) =>
            query(monitor, `slo:down:bool @ ${Date.parse(asked) / 1000}`),
          ),
        );
        return seen.every((series) => series.length === 1);
      });
      const window = [day, at(120)].map((time) => new Date(time * 1000).toISOString()).join(" ");
      const run = await stack.make("availability", { ARGS: window });
      expect(run.ok, run.output).toBe(true);
      const { totalSeconds, down, availability, incidents } = readReport();
      expect({ totalSeconds, down, availability, incidents: incidents.length }).toEqual({
        totalSeconds: 7200,
        down: { planned: 15 * 60, unplanned: 37 * 60, unseen: 0 },
        availability: (7200 - 52 * 60) / 7200,
        incidents: 2,
      });
    });

    it("costs what is recorded", async () => {
      const monitor = first(monitors());
      const [series] = await query(monitor, "prometheus_tsdb_head_series");
      figures.record("series of one Prometheus", series?.value ?? NaN, "");
      const [memory] = await query(
        monitor,
        'sum(process_resident_memory_bytes{job=~"monitor-.*"})',
      );
      figures.record("memory of both monitors", (memory?.value ?? NaN) / 2 ** 20, "MiB");
      const [cpu] = await query(
        monitor,
        'sum(rate(process_cpu_seconds_total{job=~"monitor-.*"}[1m]))',
      );
      figures.record("processor of both monitors", cpu?.value ?? NaN, "cores");
    });
  });

  describe("tells of a fault, once, and of its end", () => {
    const faults: readonly {
      readonly alert: string;
      readonly severity: "page" | "ticket";
      readonly fault: () => Promise<Fault>;
      readonly nodes: () => Promise<readonly string[]>;
    }[] = [
      {
        alert: "LoadBalancerWithoutStandby",
        severity: "page",
        fault: async () => {
          const node = await monitored.standby();
          return nodeStopped(node, machineOf(node));
        },
        nodes: async () => Promise.resolve(["lb-a", "lb-b"]),
      },
      {
        alert: "VipProbeFailing",
        severity: "page",
        fault: async () =>
          Promise.resolve(
            nodesKilled(["app-a", "app-b"].map((node) => ({ node, machine: machineOf(node) }))),
          ),
        nodes: async () => Promise.resolve(["app-a", "app-b"]),
      },
      {
        alert: "MysqlNoPrimary",
        severity: "page",
        fault: async () => Promise.resolve(nodeStopped("mysql-a", machineOf("mysql-a"))),
        nodes: async () => Promise.resolve(["mysql-a"]),
      },
      {
        alert: "NodeOutOfService",
        severity: "ticket",
        fault: async () => Promise.resolve(nodeStopped("web-b", machineOf("web-b"))),
        nodes: async () => Promise.resolve(["web-b"]),
      },
    ];

    it.each(faults)("$alert", async ({ alert, severity, fault, nodes }) => {
      const broken = await fault();
      const begun = Date.now();
      await broken.inject(stack);
      try {
        await eventually(`${alert} is told of ${broken.name}`, toldWithin, () =>
          Promise.resolve(sink.first(begun, alert) !== undefined),
        );
        await eventually(`mail tells of ${alert}`, toldWithin, () =>
          Promise.resolve(mails.subjects(begun, alert, "firing").length > 0),
        );
        const seconds = ((sink.first(begun, alert)?.at ?? NaN) - begun) / 1000;
        figures.record(`${broken.name}: told after`, seconds, "s", `${toldWithin} s`);
        const reader = first(readers());
        for (const { name, expr } of panelQueries()) {
          if (emptyWhileWell.includes(name))
            expect(await query(reader, expr), name).not.toEqual([]);
        }
        // Long enough for a second message, were there one.
        await sleep(30_000);
      } finally {
        await broken.heal(stack);
      }
      expect(sink.alertsSince(begun, "firing", severity)).toEqual([alert]);
      expect(mails.subjects(begun, alert, "firing")).toHaveLength(1);
      if (severity === "ticket") expect(sink.alertsSince(begun, "firing", "page")).toEqual([]);
      await monitored.inService(...(await nodes()));
      await eventually(`the end of ${alert} is told`, overWithin, () =>
        Promise.resolve(sink.alertsSince(begun, "resolved").includes(alert)),
      );
      await monitored.allQuiet(120);
    });
  });

  describe("with one monitor's machine dead for two minutes", () => {
    it("tells of it and of what happens meanwhile, and has no gap", async () => {
      const dead = machineKilled(machineOf("monitor-a"));
      const begun = Date.now();
      await dead.inject(stack);
      try {
        await eventually("PrometheusDown is told", toldWithin, () =>
          Promise.resolve(sink.first(begun, "PrometheusDown") !== undefined),
        );
        const during = Date.now();
        const other = nodeStopped("mysql-a", machineOf("mysql-a"));
        await other.inject(stack);
        try {
          await eventually("MysqlNoPrimary is told meanwhile", toldWithin, () =>
            Promise.resolve(sink.first(during, "MysqlNoPrimary") !== undefined),
          );
        } finally {
          await other.heal(stack);
        }
        await sleep(Math.max(0, begun + 120_000 - Date.now()));
        expect(await query(first(readers().slice(1)), "slo:planned:bool")).toHaveLength(1);
        const report = await stack.make("availability", { ARGS: "10m" });
        expect(report.ok, report.output).toBe(true);
      } finally {
        await dead.heal(stack);
      }
      await monitored.inService("monitor-a", "mysql-a");
      expect(sink.alertsSince(begun, "firing", "page")).toEqual([
        "MysqlNoPrimary",
        "PrometheusDown",
      ]);
      await monitored.allQuiet(180);
      const report = await stack.make("availability", { ARGS: "10m" });
      expect(report.ok, report.output).toBe(true);
      const { down } = readReport();
      expect(down.unseen).toBe(0);
      // The monitor that was dead has a hole there; its reader has none.
      const [from, step] = [Math.floor(begun / 1000) + 30, 5];
      const asked = [from, from + 75] as const;
      const expr = "count_over_time(slo:down:bool[15s])";
      const [own, reader] = [first(monitors()), first(readers())];
      expect(await valueTimes(own, expr, asked, step)).toEqual([]);
      expect(await valueTimes(reader, expr, asked, step)).toHaveLength(75 / step + 1);
    });
  });
});
