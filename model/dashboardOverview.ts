import { perSecond, rateRange, tierSaturation } from "./dashboardGeneric";
import { burnPanels, objectivePanels } from "./dashboardSlo";
import type { Panel, Section } from "./dashboards";
import { failedShare, type SloSettings } from "./slo";
import type { SloSources } from "./sloRules";
import type { PlannedTier } from "./stack";

/** What the overview is made from. */
export interface OverviewView {
  readonly slo: SloSettings;
  readonly sources: SloSources;
  /** Tiers that the stack has. */
  readonly tiers: readonly PlannedTier[];
  /** The tiers' own panels that tell who leads, and how full they are. */
  readonly leads: readonly Panel[];
  readonly saturation: readonly Panel[];
}

const now: readonly Panel[] = [
  {
    title: "Now",
    tells:
      "Down where the probes of every monitor fail or more than one request in twenty fails: a slot of the availability.",
    kind: "number",
    unit: "short",
    alarm: { above: 0 },
    names: [
      { value: 0, text: "up", color: "green" },
      { value: 1, text: "down", color: "red" },
    ],
    queries: [{ expr: "slo:down:bool", legend: "stack" }],
  },
  {
    title: "Alerts",
    tells: "Alerts that fire and that somebody is told of.",
    kind: "number",
    unit: "short",
    alarm: { above: 0 },
    queries: [
      {
        expr: 'count(count by (alertname, node, slo) (ALERTS{alertstate="firing",severity!="none"})) or vector(0)',
        legend: "firing",
      },
    ],
  },
];

/** Requests, failures and times, from where the objectives are measured. */
function traffic({ sources, slo }: OverviewView): readonly Panel[] {
  const quantile = (share: number) => ({
    expr: `histogram_quantile(${share}, ${perSecond(sources.timed.buckets, "le")})`,
    legend: `p${share * 100}`,
  });
  return [
    {
      title: "Requests",
      tells: "Requests of users a second, at the edge.",
      unit: "reqps",
      min: 0,
      queries: [
        { expr: "slo:requests:rate", legend: "all" },
        { expr: "slo:requests_failed:rate", legend: "failed" },
      ],
    },
    {
      title: "Failed requests",
      tells: `Share of the requests that fail with a server error. Above ${failedShare * 100} % the stack counts as down.`,
      unit: "percentunit",
      min: 0,
      alarm: { above: failedShare },
      queries: [{ expr: "slo:requests_failed:rate / (slo:requests:rate > 0)", legend: "failed" }],
    },
    {
      title: "Time of an answer",
      tells: `What half, 95 % and 99 % of the answers of the application do not exceed. Fast is ${slo.latencyMilliseconds} ms.`,
      unit: "s",
      min: 0,
      alarm: { above: slo.latencyMilliseconds / 1000 },
      queries: [0.5, 0.95, 0.99].map(quantile),
    },
    {
      title: "Probes of the edge",
      tells: "What a client sees that asks for one page: the slowest of the monitors' probes.",
      unit: "s",
      min: 0,
      queries: [
        {
          expr: `max by (instance) (max_over_time(probe_duration_seconds[${rateRange}]))`,
          legend: "{{instance}}",
        },
      ],
    },
  ];
}

const alerts: Panel = {
  title: "Alerts that fire",
  tells: "What was wrong when. Each has a runbook of its name.",
  kind: "states",
  unit: "short",
  names: [{ value: 1, text: "fires", color: "red" }],
  queries: [
    {
      expr: 'max by (alertname) (ALERTS{alertstate="firing",severity!="none"})',
      legend: "{{alertname}}",
    },
  ],
};

/** The stack as a whole: what users get first, then why. */
export function overviewSections(view: OverviewView): readonly Section[] {
  return [
    { title: "Users", panels: [...now, ...objectivePanels(view.slo)] },
    { title: "Traffic", panels: traffic(view) },
    { title: "Error budget", panels: [...burnPanels(view.slo), alerts] },
    { title: "Who leads", panels: view.leads },
    { title: "Saturation", panels: [...tierSaturation(view.tiers), ...view.saturation] },
  ];
}
