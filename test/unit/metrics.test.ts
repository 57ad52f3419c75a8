import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { AlertingRule } from "../../model/alerts";
import { stackRules } from "../../model/alertsStack";
import { alertsOn, metricsIn, readsMetric } from "../../model/metrics";
import { polledPaths, scrapeJobs } from "../../model/scrapes";
import { sloSchema } from "../../model/slo";
import type { RecordingRule } from "../../model/sloRules";
import { tiers } from "../../tiers";
import { fullPlan } from "./support/alertFiles";

const followed = Object.values(tiers).flatMap((tier) => ("metrics" in tier ? tier.metrics : []));
const { groups } = parse(
  stackRules({
    plan: fullPlan,
    slo: sloSchema.parse({}),
    runbooks: "docs/runbooks",
    polledRoutes: polledPaths(fullPlan),
  }),
) as { groups: { rules: (RecordingRule | AlertingRule)[] }[] };
const rules = groups.flatMap((group) => group.rules);

describe("the metrics that are followed", () => {
  it("come from jobs that there are, each once", () => {
    const jobs = new Set([...scrapeJobs(fullPlan).map(({ job }) => job), "probe-edge"]);
    for (const { job, name } of followed) expect(jobs, name).toContain(job);
    const names = followed.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("are all that the rules read", () => {
    const recorded = new Set(rules.flatMap((rule) => ("record" in rule ? [rule.record] : [])));
    const names = new Set<string>(followed.map(({ name }) => name));
    const unknown = rules
      .flatMap(({ expr }) => metricsIn(expr))
      .filter((name) => !recorded.has(name) && !names.has(name));
    expect([...new Set(unknown)]).toEqual([]);
  });

  it("say what and why in a sentence", () => {
    for (const { name, what, why } of followed) {
      expect(what, name).toMatch(/^[A-Z0-9].*[.?]$/);
      expect(why, name).toMatch(/^[A-Z0-9].*[.?]$/);
    }
  });
});

describe("what depends on a metric", () => {
  const alert = (name: string, expr: string): AlertingRule => ({
    alert: name,
    expr,
    for: "0s",
    labels: {},
    annotations: {},
  });

  it("are alerts, also through what is recorded of it", () => {
    const recorded = [
      { record: "slo:b", expr: "sum(rate(a_count[5m]))" },
      { record: "slo:c", expr: "slo:b > 1" },
    ];
    const alerts = [alert("Two", "slo:c == 1"), alert("One", "a > 0"), alert("None", "ab > 0")];
    expect(alertsOn("a", recorded, alerts)).toEqual(["One", "Two"]);
  });

  it("are not those on what is recorded of another objective", () => {
    const recorded = [
      { record: "slo:r", expr: "a", labels: { slo: "x" } },
      { record: "slo:r", expr: "b", labels: { slo: "y" } },
    ];
    const alerts = [alert("OnX", 'slo:r{slo="x"} > 1'), alert("OnY", 'slo:r{slo="y"} > 1')];
    expect(alertsOn("a", recorded, alerts)).toEqual(["OnX"]);
    expect(alertsOn("b", recorded, [...alerts, alert("Any", "slo:r > 1")])).toEqual(["Any", "OnY"]);
  });

  it("is read by its whole name, not in a text", () => {
    expect(readsMetric('up{job="node_time"}', "node_time")).toBe(false);
    expect(readsMetric("max(node_time_seconds)", "node_time")).toBe(false);
    expect(metricsIn('sum(http_x_bucket{le="1"}) by (job) > node_y')).toEqual(["http_x", "node_y"]);
  });
});
