import { stringify } from "yaml";
import {
  burnRates,
  errorBudget,
  objective,
  periodDays,
  slotSeconds,
  sloNames,
  type BurnRate,
  type SloName,
  type SloSettings,
} from "./slo";

/**
 * Thresholds of a k6 run that must keep the objectives, for a stack's outputs: the scripts read
 * them from there, since k6's engine knows no npm packages.
 */
export function k6Thresholds(slo: SloSettings): Readonly<Record<string, readonly string[]>> {
  return {
    http_req_failed: [`rate<=${errorBudget(slo, "availability")}`],
    http_req_duration: [`p(${slo.latencyPercent})<=${slo.latencyMilliseconds}`],
  };
}

/** A query for a dashboard panel. */
export interface PanelQuery {
  readonly title: string;
  /** One sentence under the title. */
  readonly description: string;
  /** Grafana's name of the unit. */
  readonly unit: "percentunit" | "s" | "reqps" | "none" | "bool_on_off";
  readonly expr: string;
  /** Legend; Grafana's placeholders. */
  readonly legend: string;
}

/** What the overview shows of the objectives. */
export function sloPanels(slo: SloSettings): readonly PanelQuery[] {
  const percent = `${slo.availabilityPercent} %`;
  const bySlo = { unit: "percentunit", legend: "{{slo}}" } as const;
  return [
    {
      title: "Up now",
      description: "1 while the stack serves, 0 while it does not.",
      unit: "bool_on_off",
      expr: "1 - slo:down:bool",
      legend: "up",
    },
    {
      ...bySlo,
      title: `Good, last ${periodDays} days`,
      description: `Objectives: up ${percent} of the time, ${slo.latencyPercent} % of requests within ${slo.latencyMilliseconds} ms.`,
      expr: `1 - slo:sli_error:ratio_rate${periodDays}d`,
    },
    {
      ...bySlo,
      title: "Error budget left",
      description: `Of ${periodDays} days; planned outages are counted. Below 0 the promise is broken.`,
      expr: "slo:error_budget_remaining:ratio",
    },
    {
      title: "Burn rate, one hour",
      description: `How many times faster than allowed the budget is spent; an alert pages from ${burnRates[0]?.factor ?? 0}.`,
      unit: "none",
      expr: "slo:sli_error:ratio_rate1h / on (slo) slo:error_budget:ratio",
      legend: "{{slo}}",
    },
    {
      title: "Requests",
      description: "Requests a second at the edge.",
      unit: "reqps",
      expr: "slo:requests:rate",
      legend: "requests",
    },
    {
      title: "Failed requests",
      description: "Share of the requests that were answered with a server error.",
      unit: "percentunit",
      expr: "slo:requests_failed:rate / (slo:requests:rate > 0)",
      legend: "failed",
    },
  ];
}

/** A document of OpenSLO v1; only this much of it is used. */
interface OpenSlo {
  readonly apiVersion: "openslo/v1";
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly displayName?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

const document = (
  kind: string,
  name: string,
  spec: OpenSlo["spec"],
  displayName?: string,
): OpenSlo => ({
  apiVersion: "openslo/v1",
  kind,
  metadata: { name, ...(displayName && { displayName }) },
  spec,
});

const dataSource = "prometheus";
const query = (text: string) => ({
  metricSource: { metricSourceRef: dataSource, type: "Prometheus", spec: { query: text } },
});

function indicator(name: SloName): OpenSlo["spec"] {
  // A slot of 5 s is one occurrence: OpenSLO's time slices are whole minutes.
  return name === "availability"
    ? { ratioMetric: { rawType: "failure", raw: query("slo:down:bool") } }
    : {
        ratioMetric: {
          counter: false,
          bad: query("slo:requests_slow:rate"),
          total: query("slo:requests_timed:rate"),
        },
      };
}

const descriptions: Readonly<Record<SloName, (slo: SloSettings) => string>> = {
  availability: () =>
    `Share of the slots of ${slotSeconds} s in which the stack is up. Planned outages count as down.`,
  latency: ({ latencyMilliseconds }) =>
    `Share of the answered requests that take at most ${latencyMilliseconds} ms.`,
};

const policyName = (name: SloName, { severity, long }: BurnRate) => `${name}-${severity}-${long}`;

function alertPolicy(name: SloName, rate: BurnRate): OpenSlo {
  const policy = policyName(name, rate);
  // OpenSLO has one window where the alerts have two: the short one only ends an alert sooner.
  const condition = document("AlertCondition", policy, {
    severity: rate.severity,
    condition: {
      kind: "burnrate",
      threshold: rate.factor,
      lookbackWindow: rate.long,
      alertAfter: "0m",
    },
  });
  return document("AlertPolicy", policy, {
    alertWhenBreaching: true,
    alertWhenResolved: true,
    alertWhenNoData: false,
    conditions: [condition],
    notificationTargets: [{ targetRef: rate.severity }],
  });
}

/**
 * The objectives as OpenSLO v1 documents in one YAML stream. `stack` names the service; durations
 * are those of the definition, whatever `timeScale` is.
 */
export function openSloDocument(slo: SloSettings, stack: string): string {
  const severities = [...new Set(burnRates.map(({ severity }) => severity))];
  const documents: OpenSlo[] = [
    document("DataSource", dataSource, { type: "Prometheus", connectionDetails: {} }),
    document("Service", stack, { description: "A highly available web stack." }),
    ...severities.map((severity) =>
      document("AlertNotificationTarget", severity, { target: "alertmanager" }),
    ),
    ...sloNames.flatMap((name) => burnRates.map((rate) => alertPolicy(name, rate))),
    ...sloNames.map((name) =>
      document("SLO", name, {
        description: descriptions[name](slo),
        service: stack,
        indicator: { metadata: { name }, spec: indicator(name) },
        timeWindow: [{ duration: `${periodDays}d`, isRolling: true }],
        budgetingMethod: "Occurrences",
        objectives: [{ displayName: name, target: objective(slo, name) }],
        alertPolicies: burnRates.map((rate) => ({ alertPolicyRef: policyName(name, rate) })),
      }),
    ),
  ];
  return documents.map((each) => stringify(each)).join("---\n");
}
