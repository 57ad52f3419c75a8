import { parse } from "yaml";
import type { AlertingRule } from "../model/alerts";
import { stackRules } from "../model/alertsStack";
import { alertsOn, type FollowedMetric } from "../model/metrics";
import { polledPaths } from "../model/scrapes";
import type { RecordingRule } from "../model/sloRules";
import type { StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";

interface Rules {
  readonly recorded: readonly RecordingRule[];
  readonly alerts: readonly AlertingRule[];
}

function rulesOf(plan: StackPlan<Tiers>): Rules {
  const { slo, alerting } = plan.settings;
  const text = stackRules({
    plan,
    slo,
    runbooks: alerting.runbooks,
    polledRoutes: polledPaths(plan),
  });
  const { groups } = parse(text) as { groups: { rules: (RecordingRule | AlertingRule)[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  return {
    recorded: rules.filter((rule) => "record" in rule),
    alerts: rules.filter((rule) => "alert" in rule),
  };
}

function links(name: string, { recorded, alerts }: Rules): string {
  return alertsOn(name, recorded, alerts)
    .map((alert) => `[${alert}](runbooks/${alert}.md)`)
    .join(", ");
}

function table(metrics: readonly FollowedMetric[], rules: Rules): string {
  return [
    "| metric | what | why | scrape job | alerts |",
    "| --- | --- | --- | --- | --- |",
    ...metrics.map(
      ({ name, what, why, job }) =>
        `| \`${name}\` | ${what} | ${why} | \`${job}\` | ${links(name, rules)} |`,
    ),
  ].join("\n");
}

function recordedTable(rules: Rules): string {
  const names = [...new Set(rules.recorded.map(({ record }) => record))].sort();
  return [
    "| record | alerts |",
    "| --- | --- |",
    ...names.map((name) => `| \`${name}\` | ${links(name, rules)} |`),
  ].join("\n");
}

/** `docs/metrics.md`: what is followed of a stack with every tier, and why. */
export function metricsDocument(plan: StackPlan<Tiers>): string {
  const rules = rulesOf(plan);
  const tiers = Object.values(plan.tiers).flatMap(({ name, declaration: { metrics = [] } }) =>
    metrics.length === 0 ? [] : [`## ${name}`, table(metrics, rules)],
  );
  return [
    "# Metrics",
    "What is followed, why, where it comes from, and which alerts depend on it, by themselves or through what is recorded of it. This page is generated (`npm run docs`).",
    'Every node with metrics is looked at every five seconds by each Prometheus (`pulumi stack output prometheus` has the addresses). All of a node\'s series carry `tier`, `node` and `machine`; `up{job="..."}` says whether it answered, and [TargetDown](runbooks/TargetDown.md) tells where it did not. What is not listed is there, too: open `/graph` and type.',
    ...tiers,
    "## Recorded",
    "What Prometheus computes from them every five seconds: the objectives of `docs/availability.md`.",
    recordedTable(rules),
  ].join("\n\n");
}
