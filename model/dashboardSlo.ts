import type { Panel } from "./dashboards";
import {
  burnRates,
  errorBudget,
  exact,
  objective,
  periodDays,
  sloNames,
  type SloName,
  type SloSettings,
} from "./slo";
import { errorRatio } from "./sloRules";

const texts = {
  availability: { title: "Availability", of: "of the time the stack was up" },
  latency: { title: "Fast requests", of: "of the answered requests were fast enough" },
} as const satisfies Record<SloName, { title: string; of: string }>;

/** A share as percent without what binary fractions add: `99.9 %`. */
const percent = (share: number) => `${exact(share * 100)} %`;

const selected = (name: SloName) => `{slo="${name}"}`;

/** Whether the objective is kept, and what may still go wrong. */
export function objectivePanels(slo: SloSettings): readonly Panel[] {
  return sloNames.flatMap((name): readonly Panel[] => {
    const { title, of } = texts[name];
    const wanted = objective(slo, name);
    return [
      {
        title,
        tells: `The share ${of} in the last ${periodDays} days, or since the stack is watched. The objective is ${percent(wanted)}.`,
        kind: "number",
        unit: "percentunit",
        decimals: 3,
        max: 1,
        alarm: { below: wanted },
        queries: [{ expr: `1 - ${errorRatio(`${periodDays}d`)}${selected(name)}`, legend: title }],
      },
      {
        title: `Error budget left: ${title.toLowerCase()}`,
        tells: `Of what may go wrong in ${periodDays} days at an objective of ${percent(wanted)}, the share that has not. Below 0 the objective is missed.`,
        kind: "number",
        unit: "percentunit",
        decimals: 1,
        max: 1,
        alarm: { below: 0 },
        queries: [{ expr: `slo:error_budget_remaining:ratio${selected(name)}`, legend: "left" }],
      },
    ];
  });
}

/** How fast the budgets are spent, against the rates at which somebody is told. */
export function burnPanels(slo: SloSettings): readonly Panel[] {
  return sloNames.map((name): Panel => ({
    title: `Budget burn: ${texts[name].title.toLowerCase()}`,
    tells:
      "How fast the error budget is spent, as a share of the rate at which somebody is told. Above 1 in a long window and its short one there is an alert.",
    unit: "short",
    min: 0,
    alarm: { above: 1 },
    queries: burnRates.map(({ severity, long, factor }) => ({
      expr: `${errorRatio(long)}${selected(name)} / ${exact(factor * errorBudget(slo, name))}`,
      legend: `${long}, ${severity} at ${factor}`,
    })),
  }));
}
