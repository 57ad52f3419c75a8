import { stringify } from "yaml";
import { clockOf, durationText, slotSeconds, type Clock, type SloSettings } from "./slo";
import type { RecordingRule, RuleGroup } from "./sloRules";
import type { ServiceClass } from "./tier";

/**
 * How far a fault reaches; what reaches further silences what it explains (see alertsRouting.ts).
 * - `users`: they cannot reach the stack.
 * - `budget`: the error budget is spent too fast.
 * - `tier`: a tier does not do its work.
 * - `node`: a tier has lost a node, and still works.
 * - `target`: something does not answer Prometheus; the least that can be said of a dead machine.
 * - `risk`: nothing is broken yet.
 * - `signal`: for machines: it is on while all is well, or while somebody is at work.
 */
export type Scope = "users" | "budget" | "tier" | "node" | "target" | "risk" | "signal";

/** `page` wakes somebody, `ticket` waits for the morning, `none` is for machines alone. */
export type Severity = "page" | "ticket" | "none";

/** An alert, told once: rule, routing, runbook and documentation follow from it. */
export interface Alert {
  /** Name in upper camel case; its runbook is `docs/runbooks/<name>.md`. */
  readonly name: string;
  readonly scope: Scope;
  readonly severity: Severity;
  /** What users lose; default: the service class of the tier that declares it. */
  readonly serviceClass?: ServiceClass;
  /** One sentence: what is wrong, and where. Labels as in `{{ $labels.node }}`. */
  readonly summary: string;
  /** Seconds that it must hold; see `Clock.hold`. */
  readonly holdSeconds: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** PromQL that returns a series for each fault. Ranges come from the clock. */
  expr(clock: Clock): string;
}

/** An alert with what its declaration leaves to the tier. */
export interface DeclaredAlert extends Alert {
  readonly serviceClass: ServiceClass;
  /** Settings name of the tier that declares it; undefined for those of the whole stack. */
  readonly tier: string | undefined;
}

/** An alerting rule of Prometheus. */
export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly keep_firing_for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * What silences others goes on until they are over too: a target is looked at one slot later than
 * what users see of it, the rules one more, and one may be missed.
 */
const keepSeconds = 3 * slotSeconds;
const keeping: readonly Scope[] = ["users", "tier"];

/** The alert as a rule. `runbooks`: folder or address below which the runbooks are. */
export function alertingRule(alert: DeclaredAlert, clock: Clock, runbooks: string): AlertingRule {
  const { name, scope, severity, serviceClass, tier, labels = {}, summary } = alert;
  return {
    alert: name,
    expr: alert.expr(clock),
    for: clock.hold(alert.holdSeconds),
    ...(keeping.includes(scope) && { keep_firing_for: durationText(keepSeconds) }),
    labels: { severity, scope, service_class: serviceClass, ...(tier && { tier }), ...labels },
    annotations: {
      summary,
      runbook_url: `${runbooks.replace(/\/$/, "")}/${name}.md`,
    },
  };
}

/** All alerts as one group, looked at in every slot. */
export function alertRuleGroup(
  alerts: readonly DeclaredAlert[],
  slo: Pick<SloSettings, "timeScale">,
  runbooks: string,
): RuleGroup<AlertingRule> {
  const clock = clockOf(slo);
  return {
    name: "alerts",
    interval: durationText(slotSeconds),
    rules: alerts.map((alert) => alertingRule(alert, clock, runbooks)),
  };
}

/** A rule file of Prometheus. */
export function rulesFile(groups: readonly RuleGroup<RecordingRule | AlertingRule>[]): string {
  return stringify({ groups }, { lineWidth: 0 });
}
