import { stackRecords, stackSources } from "./alertsStack";
import { balancedPanels, machinePanels, nodePanels } from "./dashboardGeneric";
import { overviewSections } from "./dashboardOverview";
import { metricsIn } from "./metrics";
import { scrapeJobs } from "./scrapes";
import { neighbourOf, type PlannedTier, type StackPlan } from "./stack";
import type { Tiers } from "./tier";

/** Units as Grafana calls them. */
export type Unit =
  | "short"
  | "percentunit"
  | "reqps"
  | "ops"
  | "s"
  | "dateTimeFromNow"
  | "bytes"
  | "Bps"
  | "decbytes";

/** What a panel draws. */
export interface PanelQuery {
  readonly expr: string;
  /** Name of each line; labels as in `{{node}}`. */
  readonly legend: string;
}

/** What a value is called and how it looks. */
export interface NamedValue {
  readonly value: number;
  readonly text: string;
  readonly color: "green" | "yellow" | "red" | "blue" | "gray";
}

/** Something that people look at, told once; the dashboard's JSON follows from it. */
export interface Panel {
  readonly title: string;
  /** What to look for: one or two sentences. */
  readonly tells: string;
  /** Lines over time (the default), one number for now, or states over time. */
  readonly kind?: "lines" | "number" | "states";
  readonly unit: Unit;
  readonly queries: readonly PanelQuery[];
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  /** From here on, or from here down, it is red. */
  readonly alarm?: { readonly above: number } | { readonly below: number };
  readonly names?: readonly NamedValue[];
  /** Where it is shown on the overview, too. */
  readonly overview?: "leads" | "saturation";
}

/** What a tier shows, beside its declaration. */
export interface DashboardDeclaration<S> {
  readonly title: string;
  /** Panels of the tier alone; those that every tier has are added to them. */
  panels(settings: S): readonly Panel[];
}

/** Panels under a heading. */
export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  /** Part of its address, and of its file's name. */
  readonly uid: string;
  readonly title: string;
  readonly sections: readonly Section[];
}

/** Names of all series that the stack's scrapes and rules make; histograms without `_bucket`. */
export function deliveredMetrics(plan: StackPlan<Tiers>): ReadonlySet<string> {
  // Probes are no listener's: each monitor asks for them itself.
  const probed = Object.values(plan.tiers).some(
    ({ nodes, declaration }) => declaration.collectsMetrics && nodes.length > 0,
  );
  const jobs = new Set([
    ...scrapeJobs(plan).map(({ job }) => job),
    ...(probed ? ["probe-edge"] : []),
  ]);
  const followed = Object.values(plan.tiers).flatMap(
    ({ declaration: { metrics = [] } }) => metrics,
  );
  return new Set([
    ...followed.filter(({ job }) => jobs.has(job)).map(({ name }) => name),
    ...stackRecords(plan).map(({ record }) => record),
  ]);
}

function ownPanels({ declaration }: PlannedTier, plan: StackPlan<Tiers>): readonly Panel[] {
  return declaration.dashboard?.panels(plan.settings[declaration.name] as never) ?? [];
}

const present = (plan: StackPlan<Tiers>): readonly PlannedTier[] =>
  Object.values(plan.tiers).filter(({ nodes }) => nodes.length > 0);

/** What the tiers beside this one tell of it. */
function besideSections(plan: StackPlan<Tiers>, tiers: readonly PlannedTier[]): readonly Section[] {
  return tiers.flatMap((tier) => {
    const { dashboard } = tier.declaration;
    return dashboard ? [{ title: dashboard.title, panels: ownPanels(tier, plan) }] : [];
  });
}

/** One for the whole stack, then one for each tier that it has, in the tiers' order. */
function drawDashboards(plan: StackPlan<Tiers>): readonly Dashboard[] {
  const tiers = present(plan);
  const shown = tiers.flatMap((tier) => ownPanels(tier, plan));
  const overview: Dashboard = {
    uid: "holdfast-overview",
    title: "Overview",
    sections: overviewSections({
      slo: plan.settings.slo,
      sources: stackSources(plan),
      tiers,
      leads: shown.filter((panel) => panel.overview === "leads"),
      saturation: shown.filter((panel) => panel.overview === "saturation"),
    }),
  };
  return [
    overview,
    ...tiers.flatMap((tier): readonly Dashboard[] => {
      const { name, declaration } = tier;
      if (!declaration.dashboard || neighbourOf(plan, tier)) return [];
      const { title } = declaration.dashboard;
      const beside = tiers.filter((other) => neighbourOf(plan, other) === tier);
      const sections: readonly Section[] = [
        { title, panels: ownPanels(tier, plan) },
        ...besideSections(plan, beside),
        ...balancedPanels(plan, tier),
        { title: "Nodes", panels: nodePanels([tier, ...beside]) },
        { title: "Machines", panels: declaration.everyMachine ? [] : machinePanels(tier) },
      ];
      return [{ uid: `holdfast-${name}`, title, sections }];
    }),
  ];
}

/** Every dashboard of the stack. A panel of which nobody delivers a metric is not there. */
export function stackDashboards(plan: StackPlan<Tiers>): readonly Dashboard[] {
  const delivered = deliveredMetrics(plan);
  const isDelivered = ({ queries }: Panel) =>
    queries.every(({ expr }) => metricsIn(expr).every((name) => delivered.has(name)));
  return drawDashboards(plan)
    .map((dashboard) => ({
      ...dashboard,
      sections: dashboard.sections
        .map(({ title, panels }) => ({ title, panels: panels.filter(isDelivered) }))
        .filter(({ panels }) => panels.length > 0),
    }))
    .filter(({ sections }) => sections.length > 0);
}
