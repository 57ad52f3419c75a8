import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  ReduceDataOptionsBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  AnnotationQueryBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  MappingType,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  defaultDashboard,
  type GridPos,
  type Threshold,
  type ValueMapping,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as NumberBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StatesBuilder } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as LinesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import type { Dashboard, Panel, PanelQuery } from "./dashboards";

/** The one source of data; Grafana is told of it under this name. */
export const dataSource = { type: "prometheus", uid: "holdfast" } as const;

const gridColumns = 24;
/** Columns and rows of a panel, by kind. */
const sizes = { number: [4, 4], lines: [8, 8], states: [12, 7] } as const;

function query({ expr, legend }: PanelQuery, index: number, instant: boolean): DataqueryBuilder {
  const builder = new DataqueryBuilder()
    .refId(String.fromCharCode("A".charCodeAt(0) + index))
    .datasource(dataSource)
    .expr(expr)
    .legendFormat(legend);
  return instant ? builder.instant() : builder.range();
}

function thresholds({ alarm }: Panel): ThresholdsConfigBuilder {
  const [good, bad] = ["green", "red"];
  // The first one holds from minus infinity on.
  const steps: Threshold[] =
    alarm === undefined
      ? [{ value: null, color: good }]
      : "above" in alarm
        ? [
            { value: null, color: good },
            // A number that is exactly at the limit is still good.
            { value: alarm.above + Number.EPSILON, color: bad },
          ]
        : [
            { value: null, color: bad },
            { value: alarm.below, color: good },
          ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function mappings({ names = [] }: Panel): ValueMapping[] {
  if (names.length === 0) return [];
  const options = Object.fromEntries(
    names.map(({ value, text, color }, index) => [String(value), { text, color, index }]),
  );
  return [{ type: MappingType.ValueToText, options }];
}

function common<B extends LinesBuilder | NumberBuilder | StatesBuilder>(
  builder: B,
  panel: Panel,
  id: number,
  at: GridPos,
): B {
  const { title, tells, unit, queries, kind, decimals, min, max } = panel;
  builder
    .id(id)
    .title(title)
    .description(tells)
    .datasource(dataSource)
    .gridPos(at)
    .unit(unit)
    .mappings(mappings(panel))
    .thresholds(thresholds(panel))
    .targets(queries.map((each, index) => query(each, index, kind === "number")));
  if (decimals !== undefined) builder.decimals(decimals);
  if (min !== undefined) builder.min(min);
  if (max !== undefined) builder.max(max);
  return builder;
}

function drawn(panel: Panel, id: number, at: GridPos) {
  switch (panel.kind) {
    case "number":
      return common(new NumberBuilder(), panel, id, at)
        .colorMode(BigValueColorMode.Value)
        .graphMode(BigValueGraphMode.None)
        .textMode(BigValueTextMode.Value)
        .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
    case "states":
      return common(new StatesBuilder(), panel, id, at)
        .showValue(VisibilityMode.Never)
        .rowHeight(0.8)
        .fillOpacity(80)
        .mergeValues(true);
    default: {
      const style = panel.alarm ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off;
      return common(new LinesBuilder(), panel, id, at)
        .fillOpacity(8)
        .showPoints(VisibilityMode.Never)
        .legend(new VizLegendOptionsBuilder().showLegend(true).displayMode(LegendDisplayMode.List))
        .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(style))
        .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
    }
  }
}

/** Each update that changed nodes, and the time that updates and maintenance took. */
function annotations(): AnnotationQueryBuilder[] {
  const annotation = (name: string, color: string, expr: string) =>
    new AnnotationQueryBuilder()
      .name(name)
      .enable(true)
      .iconColor(color)
      .datasource(dataSource)
      .expr(expr)
      .step("15s");
  return [
    annotation(
      "Deploys",
      "blue",
      "max by (version, by, nodes) (holdfast_deploy_change_timestamp_seconds) * 1000",
    )
      .useValueForTime(true)
      .titleFormat("Deployed {{version}}")
      .textFormat("{{nodes}}, by {{by}}"),
    annotation("Updates and maintenance", "purple", "slo:planned:bool == 1").titleFormat(
      "Update or maintenance",
    ),
  ];
}

/** Rows and panels, each in its place. */
function laidOut(sections: Dashboard["sections"]) {
  let id = 1;
  let y = 0;
  return sections.flatMap(({ title, panels }) => {
    const row = new RowBuilder(title).id(id++).gridPos({ x: 0, y: y++, w: gridColumns, h: 1 });
    let [x, height] = [0, 0];
    const placed = panels.map((panel) => {
      const [w, h] = sizes[panel.kind ?? "lines"];
      if (x + w > gridColumns) {
        y += height;
        [x, height] = [0, 0];
      }
      const at = { x, y, w, h };
      x += w;
      height = Math.max(height, h);
      return drawn(panel, id++, at).build();
    });
    y += height;
    return [row.build(), ...placed];
  });
}

/** The dashboard as Grafana reads it from a file, on one line. */
export function dashboardJson({ uid, title, sections }: Dashboard): string {
  const toOthers = new DashboardLinkBuilder("Dashboards")
    .type(DashboardLinkType.Dashboards)
    .tags(["holdfast"])
    .asDropdown(true)
    .keepTime(true);
  return JSON.stringify({
    ...defaultDashboard(),
    uid,
    title,
    tags: ["holdfast"],
    editable: false,
    refresh: "15s",
    time: { from: "now-1h", to: "now" },
    graphTooltip: DashboardCursorSync.Crosshair,
    annotations: { list: annotations().map((annotation) => annotation.build()) },
    links: [toOthers.build()],
    panels: laidOut(sections),
  });
}
