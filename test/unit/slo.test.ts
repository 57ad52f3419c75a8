import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { rulesFile } from "../../model/alerts";
import { settingTexts } from "../../model/schemaText";
import {
  burnRates,
  clockOf,
  complement,
  durationText,
  errorBudget,
  objective,
  periodSeconds,
  sloSchema,
  windows,
} from "../../model/slo";
import { k6Thresholds, openSloDocument, sloPanels } from "../../model/sloDocuments";
import { anyOf, burnRateAlerts, sloRuleGroups, sloSources } from "../../model/sloRules";

const slo = sloSchema.parse({});
const sources = sloSources({
  edgeEndpoints: ["web"],
  polledRoutes: ["/healthz"],
  latencyMilliseconds: slo.latencyMilliseconds,
});

describe("settings", () => {
  it("have a documented default for each", () => {
    expect(slo).toEqual({
      availabilityPercent: 99.9,
      latencyPercent: 99,
      latencyMilliseconds: 500,
      timeScale: 1,
    });
    for (const { path, default: fallback, description } of settingTexts(sloSchema)) {
      expect(fallback, path.join(".")).toBeDefined();
      expect(description, path.join(".")).not.toBe("");
    }
  });

  it.each([
    { availabilityPercent: 94 },
    { availabilityPercent: 100 },
    { timeScale: 0 },
    { latencyMilliseconds: 0.5 },
    { window: "30d" },
  ])("refuse %j", (raw) => {
    expect(sloSchema.safeParse(raw).success).toBe(false);
  });
});

describe("burn rates", () => {
  it("are those of the SRE workbook for 30 days", () => {
    expect(
      burnRates.map(({ severity, long, short, factor }) => [severity, long, short, factor]),
    ).toEqual([
      ["page", "1h", "5m", 14.4],
      ["page", "6h", "30m", 6],
      ["ticket", "1d", "2h", 3],
      ["ticket", "3d", "6h", 1],
    ]);
    for (const { long, short } of burnRates) expect(windows[long]).toBe(12 * windows[short]);
  });

  it("can be reached with every objective that settings allow", () => {
    const loosest = sloSchema.parse({ availabilityPercent: 95, latencyPercent: 95 });
    for (const { factor } of burnRates) {
      expect(factor * errorBudget(loosest, "availability")).toBeLessThan(1);
      expect(factor * errorBudget(loosest, "latency")).toBeLessThan(1);
    }
  });
});

describe("numbers", () => {
  it("stand in rules as they were meant", () => {
    expect(objective(slo, "availability")).toBe(0.999);
    expect(errorBudget(slo, "availability")).toBe(0.001);
    expect(complement(0.999999)).toBe(0.000001);
    const odd = sloSchema.parse({ availabilityPercent: 99.95 });
    expect(errorBudget(odd, "availability")).toBe(0.0005);
  });

  it.each([
    [0, "0s"],
    [1.5, "1500ms"],
    [90, "90s"],
    [300, "5m"],
    [3600, "1h"],
    [periodSeconds, "30d"],
  ])("%d s is %s", (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });

  it("escapes what a regular expression would take for its own", () => {
    expect(anyOf("route", ["/a.b", '/"', "/c+"])).toBe(String.raw`route=~"/a\\.b|/\"|/c\\+"`);
    expect(anyOf("proxy", ["web", "app"], true)).toBe('proxy!~"web|app"');
  });
});

describe("the clock", () => {
  it("leaves everything as it is at scale 1", () => {
    const { window, hold, windowSeconds } = clockOf({ timeScale: 1 });
    expect([window(300), window(7), hold(10), hold(1800)]).toEqual(["5m", "7s", "10s", "30m"]);
    expect(windowSeconds(1800)).toBe(1800);
  });

  it("divides windows, but never below three slots", () => {
    const { window, windowSeconds } = clockOf({ timeScale: 60 });
    expect([window(3600), window(300), window(3 * 86_400), window(600, 120)]).toEqual([
      "1m",
      "15s",
      "72m",
      "2m",
    ]);
    expect(windowSeconds(1800)).toBe(30);
  });

  it("divides waiting, but leaves alone what tells a fault from a fail-over", () => {
    const { hold } = clockOf({ timeScale: 60 });
    expect([hold(0), hold(10), hold(30), hold(60), hold(7200)]).toEqual([
      "0s",
      "10s",
      "30s",
      "30s",
      "2m",
    ]);
  });
});

describe("sources", () => {
  it("are HAProxy's frontends, and the application's histogram without what machines ask", () => {
    expect(sources).toEqual({
      probes: 'probe_success{job="probe-edge"}',
      requests: {
        total: 'haproxy_frontend_http_responses_total{proxy=~"web"}',
        failed: 'haproxy_frontend_http_responses_total{proxy=~"web",code="5xx"}',
      },
      timed: {
        total: 'http_request_duration_seconds_count{route!~"/healthz",status!~"5.."}',
        fast: String.raw`http_request_duration_seconds_bucket{route!~"/healthz",status!~"5..",le=~"0\\.5(\\.0)?"}`,
        buckets: 'http_request_duration_seconds_bucket{route!~"/healthz",status!~"5.."}',
      },
    });
  });

  it("are the application's alone where there is no load balancer", () => {
    const alone = sloSources({ edgeEndpoints: [], polledRoutes: [], latencyMilliseconds: 1000 });
    expect(alone.requests).toEqual({
      total: "http_request_duration_seconds_count{}",
      failed: 'http_request_duration_seconds_count{status=~"5.."}',
    });
    expect(alone.timed.fast).toContain(String.raw`le=~"1(\\.0)?"`);
  });
});

describe("rules", () => {
  const groups = sloRuleGroups(slo, sources);
  const recorded = (scale: number) =>
    sloRuleGroups(sloSchema.parse({ timeScale: scale }), sources).flatMap(({ rules }) =>
      rules.map(({ record, labels }) => [record, labels]),
    );

  it("have the same names at every scale", () => {
    expect(recorded(60)).toEqual(recorded(1));
    expect(recorded(1)).toHaveLength(28);
  });

  it("look at every slot, and rarely at the whole period", () => {
    expect(groups.map(({ name, interval }) => [name, interval])).toEqual([
      ["slo-slots", "5s"],
      ["slo-windows", "15s"],
      ["slo-period", "1m"],
    ]);
  });

  it("spend the budget of the whole period in seconds", () => {
    const rules = groups.flatMap((group) => group.rules);
    const left = rules.find(({ record }) => record === "slo:error_budget_remaining:ratio");
    expect(left?.expr).toBe("1 - sum_over_time(slo:down:bool[30d]) * 5 / 2592");
    const scaled = sloRuleGroups(sloSchema.parse({ timeScale: 60 }), sources)[2];
    expect(scaled?.rules.map(({ expr }) => expr)).toContain(
      "1 - sum_over_time(slo:down:bool[12h]) * 5 / 43.2",
    );
  });

  it("are written as a rule file", () => {
    expect(parse(rulesFile(groups))).toEqual({ groups });
  });
});

describe("burn-rate alerts", () => {
  it("ask both windows, and whether somebody was paged already", () => {
    const [fast] = burnRateAlerts(slo);
    expect(fast?.name).toBe("AvailabilityBudgetBurnFast");
    expect(fast?.expr(clockOf(slo)).split("\nor\n")[0]).toBe(
      '(slo:sli_error:ratio_rate1h{slo="availability"} > 0.0144 and slo:sli_error:ratio_rate5m{slo="availability"} > 0.0144 unless on () max_over_time(ALERTS{alertstate="firing",severity="page",service_class="critical",scope=~"users|tier"}[330s]))',
    );
  });

  it("ask for the windows' names whatever their length is", () => {
    const names = (scale: number) =>
      burnRateAlerts(slo).map((alert) =>
        alert.expr(clockOf({ timeScale: scale })).match(/ratio_rate\w+/g),
      );
    expect(names(60)).toEqual(names(1));
  });
});

describe("documents", () => {
  it("gives k6 its thresholds", () => {
    expect(k6Thresholds(slo)).toEqual({
      http_req_failed: ["rate<=0.001"],
      http_req_duration: ["p(99)<=500"],
    });
  });

  it("asks the dashboard for what is recorded and nothing else", () => {
    const recorded = new Set(
      sloRuleGroups(slo, sources).flatMap(({ rules }) => rules.map(({ record }) => record)),
    );
    const asked = sloPanels(slo).flatMap(({ expr }) => expr.match(/slo:[\w:]+/g) ?? []);
    expect(asked.length).toBeGreaterThan(5);
    for (const name of asked) expect(recorded, name).toContain(name);
  });

  it("describes the objectives as OpenSLO", () => {
    const header = z.strictObject({
      apiVersion: z.literal("openslo/v1"),
      kind: z.string(),
      metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/) }),
      spec: z.record(z.string(), z.unknown()),
    });
    const documents = parseAllDocuments(openSloDocument(slo, "dev")).map((each) =>
      header.parse(each.toJS()),
    );
    const named = (kind: string) =>
      documents.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);
    expect(named("SLO")).toEqual(["availability", "latency"]);
    expect(named("AlertPolicy")).toHaveLength(8);
    const availability = documents.find(({ kind }) => kind === "SLO")?.spec;
    expect(availability).toMatchObject({
      service: "dev",
      timeWindow: [{ duration: "30d", isRolling: true }],
      budgetingMethod: "Occurrences",
      objectives: [{ target: 0.999 }],
      indicator: { spec: { ratioMetric: { rawType: "failure" } } },
    });
    const policies = availability?.["alertPolicies"] as { alertPolicyRef: string }[];
    for (const { alertPolicyRef } of policies) {
      expect(named("AlertPolicy")).toContain(alertPolicyRef);
    }
    expect(policies).toHaveLength(4);
  });
});
