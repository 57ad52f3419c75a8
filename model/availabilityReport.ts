import {
  availability,
  budgetOf,
  ninesOf,
  ninesTable,
  ninesText,
  percentText,
  timeText,
  type Budget,
} from "./availability";
import {
  downSeconds,
  incidentsOf,
  partsOf,
  sumOf,
  type DownSeconds,
  type Incident,
  type Part,
  type Slots,
} from "./availabilitySeries";
import { exact, slotSeconds } from "./slo";

/** How available a stack was. */
export interface AvailabilityReport {
  readonly stack: string;
  /** Seconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly totalSeconds: number;
  readonly downSeconds: number;
  readonly down: DownSeconds;
  readonly availability: number;
  /** Number of nines that this is, at most 6. */
  readonly nines: number;
  readonly objective: number;
  /** The objective's error budget for this time. */
  readonly budget: Budget;
  /** The worst first. */
  readonly incidents: readonly Incident[];
  readonly parts: readonly Part[];
}

/** The report on these slots. `objective`: 0.999. */
export function reportOf(stack: string, slots: Slots, objective: number): AvailabilityReport {
  const totalSeconds = slots.states.length * slotSeconds;
  const down = downSeconds(slots, 0, slots.states.length);
  const share = availability(totalSeconds, sumOf(down));
  return {
    stack,
    from: slots.from,
    to: slots.from + totalSeconds,
    totalSeconds,
    downSeconds: sumOf(down),
    down,
    availability: share,
    nines: ninesOf(share),
    objective,
    budget: budgetOf(objective, totalSeconds, sumOf(down)),
    incidents: [...incidentsOf(slots)].sort(
      (a, b) => sumOf(b.down) - sumOf(a.down) || a.from - b.from,
    ),
    parts: partsOf(slots),
  };
}

/** `2026-11-21 08:14:05`, in UTC. */
export function momentText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** The seconds that are down in words: `15 min planned, 37 min unplanned`. */
export function downText(down: DownSeconds): string {
  const parts = (["planned", "unplanned", "unseen"] as const)
    .filter((kind) => down[kind] > 0)
    .map((kind) => `${timeText(down[kind])} ${kind}`);
  return parts.length > 0 ? parts.join(", ") : "nothing";
}

/** The formula with this report's figures. */
export function formulaText({
  totalSeconds,
  downSeconds: down,
  availability: share,
}: AvailabilityReport): string {
  return `(${totalSeconds} s - ${down} s) / ${totalSeconds} s = ${percentText(share)}`;
}

/** Whether the objective was kept, in words. */
export function verdictText({ objective, budget }: AvailabilityReport): string {
  const kept = budget.leftSeconds >= 0;
  return `objective ${exact(objective * 100)} % ${kept ? "kept" : "missed"}: ${timeText(budget.spentSeconds)} of ${timeText(budget.allowedSeconds)} error budget spent, ${kept ? `${timeText(budget.leftSeconds)} left (${percentText(budget.leftShare, 1)})` : `${timeText(-budget.leftSeconds)} too much`}`;
}

const shownIncidents = 10;

/** The worst incidents that a report shows. */
export function worstOf({ incidents }: AvailabilityReport): readonly Incident[] {
  return incidents.slice(0, shownIncidents);
}

/** The report as text for a terminal. */
export function renderText(report: AvailabilityReport): string {
  const rows = ninesTable().map(
    ({ nines, share, week, month, year }) =>
      `${nines === report.nines ? " *" : "  "} ${ninesText(nines).padEnd(8)} ${percentText(share, Math.max(0, nines - 2)).padEnd(11)} ${timeText(week).padEnd(9)} ${timeText(month).padEnd(9)} ${timeText(year)}`,
  );
  const worst = worstOf(report).map(
    ({ from, to, down }) =>
      `  ${momentText(from)} to ${momentText(to).slice(11)}: ${downText(down)}`,
  );
  return [
    `${report.stack}: ${percentText(report.availability)} available (${ninesText(report.nines)})`,
    `from ${momentText(report.from)} to ${momentText(report.to)} UTC, ${timeText(report.totalSeconds)}`,
    `down: ${downText(report.down)}; planned outages and times that nobody saw count as down`,
    `formula: ${formulaText(report)}`,
    verdictText(report),
    "",
    "   class    available   a week    a month   a year",
    ...rows,
    "",
    worst.length > 0 ? `worst of ${report.incidents.length} incidents:` : "no incidents",
    ...worst,
    "",
  ].join("\n");
}

/** The report as JSON; times in seconds since 1970, shares between 0 and 1. */
export function renderJson(report: AvailabilityReport): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
