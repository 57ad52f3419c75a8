import { describe, expect, it } from "vitest";
import { dashboardJson } from "../../model/dashboardJson";
import { balancedPanels } from "../../model/dashboardGeneric";
import { burnPanels, objectivePanels } from "../../model/dashboardSlo";
import { deliveredMetrics, stackDashboards, type Dashboard } from "../../model/dashboards";
import { metricsIn } from "../../model/metrics";
import { burnRates, errorBudget, objective, sloNames, sloSchema } from "../../model/slo";
import { sloRuleGroups, sloSources } from "../../model/sloRules";
import { readPlan } from "../../model/stack";
import type { Tiers } from "../../model/tier";
import { tiers } from "../../tiers";
import { fullPlan } from "./support/alertFiles";
import { seriesIn } from "./support/promql";

const declared: Tiers = tiers;
const dashboards = stackDashboards(fullPlan);
const panelsOf = ({ sections }: Dashboard) => sections.flatMap(({ panels }) => panels);
const all = dashboards.flatMap((dashboard) =>
  panelsOf(dashboard).map((panel) => ({ ...panel, at: `${dashboard.title}: ${panel.title}` })),
);

/** What Prometheus makes itself for every target and alert. */
const ownSeries = ["up", "scrape_duration_seconds", "ALERTS"];
const withoutPart = (name: string) => name.replace(/_(bucket|count|sum)$/, "");

/** A dashboard's JSON, as much of it as is looked at. */
interface DashboardModel {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
    readonly datasource?: { readonly uid: string };
    readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
    readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  }[];
}
const models = dashboards.map((each) => JSON.parse(dashboardJson(each)) as DashboardModel);

describe("the dashboards", () => {
  it("are one for the whole and one for each tier", () => {
    expect(dashboards.map(({ title }) => title)).toEqual([
      "Overview",
      "Load balancers",
      "MySQL",
      "Redis",
      "Application",
      "Web",
      "Backups",
      "Monitoring itself",
      "Machines",
    ]);
    const shown = new Set(dashboards.map(({ uid }) => uid));
    for (const { name, nodes, declaration } of Object.values(fullPlan.tiers)) {
      expect(shown.has(`holdfast-${name}`), name).toBe(
        // What stands beside another tier is shown with it.
        nodes.length > 0 && declaration.dashboard !== undefined && !declaration.beside,
      );
    }
    // What has metrics worth following has somewhere to look at them.
    for (const { name, metrics, dashboard } of Object.values(declared)) {
      expect(metrics === undefined || dashboard !== undefined, name).toBe(true);
    }
  });

  it("read nothing but what the stack's scrapes and rules deliver", () => {
    const delivered = deliveredMetrics(fullPlan);
    const annotated = models.flatMap(({ annotations }) =>
      annotations.list.map(({ expr }) => ({ at: "annotation", queries: [{ expr }] })),
    );
    const unknown = [...all, ...annotated].flatMap(({ at, queries }) =>
      queries
        .flatMap(({ expr }) => seriesIn(expr))
        .filter((name) => !ownSeries.includes(name) && !delivered.has(withoutPart(name)))
        .map((name) => `${at}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it("are shown to have no mistake by a grammar that finds some", () => {
    expect(seriesIn('sum by (a) (rate(x_total{b="c"}[$__rate_interval])) / y')).toEqual([
      "x_total",
      "y",
    ]);
    expect(() => seriesIn("sum by (a (x)")).toThrow("no PromQL at");
    expect(() => seriesIn('{a="b"}')).toThrow("a selector without a name");
  });

  it("know the same series by name as Prometheus' grammar does", () => {
    for (const { at, queries } of all) {
      for (const { expr } of queries) {
        const named = seriesIn(expr).filter((name) => !ownSeries.includes(name));
        expect([...metricsIn(expr)].sort(), at).toEqual(
          [...new Set(named.map(withoutPart))].sort(),
        );
      }
    }
  });

  it("lose no panel of a stack that has everything", () => {
    const titles = new Set(all.map(({ title }) => title));
    for (const { name, declaration } of Object.values(fullPlan.tiers)) {
      const own = declaration.dashboard?.panels(fullPlan.settings[name] as never) ?? [];
      for (const { title } of own) expect(titles, name).toContain(title);
    }
    expect(all.length).toBeGreaterThan(60);
  });

  it("have a title, a unit and a query in every panel, and say what it tells", () => {
    for (const { at, title, unit, queries, tells, kind, names } of all) {
      expect(title, at).toMatch(/^[A-Z]\S*/);
      expect(unit, at).not.toBe("");
      expect(queries.length, at).toBeGreaterThan(0);
      expect(tells, at).toMatch(/^[A-Z].*\.$/);
      for (const { expr, legend } of queries) expect([expr, legend], at).not.toContain("");
      if (kind === "states") expect(names?.length, at).toBeGreaterThan(0);
    }
    for (const dashboard of dashboards) {
      const titles = panelsOf(dashboard).map(({ title }) => title);
      expect(new Set(titles).size, dashboard.title).toBe(titles.length);
    }
  });

  it("follow a rate over as long as a point stands for", () => {
    for (const { at, queries } of all) {
      for (const { expr } of queries) {
        const ranges = [...expr.matchAll(/\[([^\]]+)\]/g)].map(([, range]) => range);
        expect(new Set(ranges).size, at).toBeLessThanOrEqual(1);
        for (const range of ranges) expect(range, at).toBe("$__rate_interval");
      }
    }
  });
});

describe("the overview", () => {
  const [overview] = dashboards;
  const titles = (section: string) =>
    overview?.sections.find(({ title }) => title === section)?.panels.map(({ title }) => title);

  it("says first what users get", () => {
    expect(overview?.sections.map(({ title }) => title)).toEqual([
      "Users",
      "Traffic",
      "Error budget",
      "Who leads",
      "Saturation",
    ]);
    expect(titles("Traffic")).toEqual([
      "Requests",
      "Failed requests",
      "Time of an answer",
      "Probes of the edge",
    ]);
  });

  it("says who leads, and how full each tier is", () => {
    expect(titles("Who leads")).toEqual(["Active load balancer", "MySQL primary", "Redis master"]);
    expect(titles("Saturation")).toEqual([
      "Processor by tier",
      "Memory by tier",
      "Connections used",
      "MySQL sessions at work",
      "Cache memory used",
      "Requests in flight",
    ]);
    const [processor] = overview?.sections.at(-1)?.panels ?? [];
    expect(processor?.queries.map(({ legend }) => legend)).toEqual([
      "Load balancers",
      "MySQL",
      "Redis",
      "Application",
      "Web",
      "Backups",
      "Monitoring itself",
    ]);
    expect(processor?.queries[4]?.expr).toContain('machine=~"vm-web-a|vm-web-b"');
  });

  it("shows only what a small stack has", () => {
    const alone = stackDashboards(
      readPlan(tiers, {
        loadBalancer: { count: 0 },
        webPool: { count: 1 },
        appPool: { count: 1 },
        monitoring: { count: 1 },
      }),
    );
    expect(alone.map(({ title }) => title)).toEqual([
      "Overview",
      "Application",
      "Web",
      "Monitoring itself",
      "Machines",
    ]);
    expect(JSON.stringify(alone)).not.toMatch(/haproxy_|holdfast_(mysql|redis|lb)/);
  });

  it("is empty where nothing is monitored", () => {
    const delivered = deliveredMetrics(readPlan(tiers, {}));
    expect([...delivered].filter((name) => name.startsWith("probe_"))).toEqual([]);
  });
});

describe("panels of the objectives", () => {
  const slo = sloSchema.parse({ availabilityPercent: 99.5, latencyPercent: 98 });
  const sources = sloSources({
    edgeEndpoints: ["web"],
    polledRoutes: [],
    latencyMilliseconds: 500,
  });
  const records = new Set(
    sloRuleGroups(slo, sources).flatMap(({ rules }) => rules.map(({ record }) => record)),
  );

  it("read what is recorded of the same definitions", () => {
    for (const { queries } of [...objectivePanels(slo), ...burnPanels(slo)]) {
      for (const { expr } of queries) {
        for (const name of seriesIn(expr)) expect(records).toContain(name);
      }
    }
  });

  it("are red where the objective is missed", () => {
    expect(objectivePanels(slo).map(({ title, alarm }) => [title, alarm])).toEqual([
      ["Availability", { below: 0.995 }],
      ["Error budget left: availability", { below: 0 }],
      ["Fast requests", { below: 0.98 }],
      ["Error budget left: fast requests", { below: 0 }],
    ]);
    expect(objective(slo, "availability")).toBe(0.995);
  });

  it("measure the burn by the rates of the alerts", () => {
    const panels = burnPanels(slo);
    expect(panels).toHaveLength(sloNames.length);
    panels.forEach(({ queries }, index) => {
      const name = sloNames[index]!;
      expect(queries.map(({ expr }) => expr)).toEqual(
        burnRates.map(
          ({ long, factor }) =>
            `slo:sli_error:ratio_rate${long}{slo="${name}"} / ${Number((factor * errorBudget(slo, name)).toPrecision(12))}`,
        ),
      );
    });
    expect(panels[0]?.queries[0]).toEqual({
      expr: 'slo:sli_error:ratio_rate1h{slo="availability"} / 0.072',
      legend: "1h, page at 14.4",
    });
  });

  it("take the times of answers from where the latency is measured", () => {
    const quantiles = all.find(({ title }) => title === "Time of an answer")?.queries;
    expect(quantiles?.map(({ legend }) => legend)).toEqual(["p50", "p95", "p99"]);
    for (const { expr } of quantiles ?? []) {
      expect(expr).toContain('{route!~"/healthz|/metrics|/readyz",status!~"5.."}');
    }
  });
});

describe("panels of what is balanced", () => {
  it("are those of the tier's endpoints", () => {
    const [section] = balancedPanels(fullPlan, fullPlan.tiers["mysqlCluster"]!);
    expect(section?.panels[0]?.queries[0]?.expr).toBe(
      'min by (proxy, server) (haproxy_server_status{proxy=~"mysql-primary|mysql-replicas",state="UP"})',
    );
    // Answers have classes where they are HTTP.
    expect(section?.panels.map(({ title }) => title)).not.toContain("Answers by class");
  });
});

describe("a dashboard's JSON", () => {
  it("has every panel with its title, unit and queries", () => {
    models.forEach((model, index) => {
      const dashboard = dashboards[index]!;
      const drawn = model.panels.filter(({ type }) => type !== "row");
      expect(drawn.map(({ title }) => title)).toEqual(
        panelsOf(dashboard).map(({ title }) => title),
      );
      for (const { title, datasource, targets, fieldConfig } of drawn) {
        const panel = panelsOf(dashboard).find((each) => each.title === title)!;
        expect(datasource?.uid, title).toBe("holdfast");
        expect(fieldConfig?.defaults.unit, title).toBe(panel.unit);
        expect(targets?.map(({ expr }) => expr)).toEqual(panel.queries.map(({ expr }) => expr));
      }
    });
  });

  it("has no panel on top of another, and none twice", () => {
    for (const { title, panels } of models) {
      expect(new Set(panels.map(({ id }) => id)).size, title).toBe(panels.length);
      const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
        Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
      );
      expect(new Set(cells).size, title).toBe(cells.length);
      for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    }
  });

  it("is the same each time, and nobody changes it by hand", () => {
    expect(dashboards.map(dashboardJson)).toEqual(stackDashboards(fullPlan).map(dashboardJson));
    for (const { editable } of models) expect(editable).toBe(false);
  });

  it("marks what updates have changed, and how long they took", () => {
    for (const { annotations } of models) {
      expect(annotations.list.map(({ expr }) => expr)).toEqual([
        "max by (version, by, nodes) (holdfast_deploy_change_timestamp_seconds) * 1000",
        "slo:planned:bool == 1",
      ]);
    }
  });
});
