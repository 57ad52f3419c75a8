import { nodeInfo } from "./alertExpressions";
import { alertRuleGroup, rulesFile, type DeclaredAlert } from "./alerts";
import { alertTopology, genericAlerts } from "./alertsGeneric";
import { polledPaths } from "./scrapes";
import { durationText, type SloSettings } from "./slo";
import {
  sloRuleGroups,
  sloSources,
  type RecordingRule,
  type RuleGroup,
  type SloSources,
} from "./sloRules";
import type { StackPlan } from "./stack";
import type { Tiers } from "./tier";

/** Alerts of the tiers that the stack has, in the tiers' order. */
function declaredAlerts(plan: StackPlan<Tiers>): readonly DeclaredAlert[] {
  return Object.values(plan.tiers).flatMap(({ name, nodes, declaration }) =>
    nodes.length === 0
      ? []
      : (declaration.alerts?.(plan.settings[name] as never) ?? []).map((alert) => ({
          serviceClass: declaration.serviceClass,
          ...alert,
          tier: name,
        })),
  );
}

/** Every alert of the stack: the generic ones, then those of its tiers. */
export function stackAlerts(plan: StackPlan<Tiers>, slo: SloSettings): readonly DeclaredAlert[] {
  return [...genericAlerts(alertTopology(plan), slo), ...declaredAlerts(plan)];
}

/** What the rule file is made from. */
export interface RulesView {
  readonly plan: StackPlan<Tiers>;
  readonly slo: SloSettings;
  /** Folder or address below which the runbooks are. */
  readonly runbooks: string;
  /** Routes of the application that machines poll: health, readiness, metrics. */
  readonly polledRoutes: readonly string[];
}

function sourcesOf({ plan, slo, polledRoutes }: Omit<RulesView, "runbooks">): SloSources {
  const edge = plan.backends.filter(({ vip, mode }) => vip === "edge" && mode === "http");
  return sloSources({
    edgeEndpoints: plan.vips ? edge.map(({ endpoint }) => endpoint) : [],
    polledRoutes,
    latencyMilliseconds: slo.latencyMilliseconds,
  });
}

/** Where the objectives of the stack are measured. */
export function stackSources(plan: StackPlan<Tiers>): SloSources {
  return sourcesOf({ plan, slo: plan.settings.slo, polledRoutes: polledPaths(plan) });
}

function nodeGroup({ tiers }: StackPlan<Tiers>): RuleGroup {
  return {
    name: "nodes",
    interval: durationText(15),
    rules: Object.values(tiers).flatMap(({ name, nodes }) =>
      nodes.map(({ key, machine }) => ({
        record: nodeInfo,
        expr: "vector(1)",
        labels: { tier: name, node: key, machine: machine.key },
      })),
    ),
  };
}

function recordGroups(view: Omit<RulesView, "runbooks">): readonly RuleGroup[] {
  return [...sloRuleGroups(view.slo, sourcesOf(view)), nodeGroup(view.plan)];
}

/** What Prometheus records of the stack's objectives and of its nodes. */
export function stackRecords(plan: StackPlan<Tiers>): readonly RecordingRule[] {
  const view = { plan, slo: plan.settings.slo, polledRoutes: polledPaths(plan) };
  return recordGroups(view).flatMap(({ rules }) => rules);
}

/** Prometheus' rule file: what is recorded, and every alert. */
export function stackRules({ plan, slo, runbooks, polledRoutes }: RulesView): string {
  return rulesFile([
    ...recordGroups({ plan, slo, polledRoutes }),
    alertRuleGroup(stackAlerts(plan, slo), slo, runbooks),
  ]);
}
