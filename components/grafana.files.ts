import { dashboardJson, dataSource } from "../model/dashboardJson";
import { stackDashboards } from "../model/dashboards";
import { renderTemplate } from "../model/rendering";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import type { GrafanaDashboardsView, GrafanaDataSourceView, GrafanaView } from "../model/views";
import type { grafana } from "./grafana.tier";
import { readersName, stackAuthority } from "./monitoring.files";
import type { monitoring } from "./monitoring.tier";

/** The plan of a stack that may have Grafana. */
export type GrafanaPlan = StackPlan<
  Tiers & { readonly grafana: typeof grafana; readonly monitoring: typeof monitoring }
>;

const dashboardFolder = "/etc/holdfast/dashboards";

/** File with the password of `admin`. */
export const adminPasswordFile = "/run/secrets/grafana-admin-password";

/** Addresses of the readers by their one name: whoever connects takes the first that accepts. */
export function readerHosts(plan: GrafanaPlan): readonly { host: string; ip: string }[] {
  return plan.tiers.monitoring.nodes.map(({ machine }) => ({
    host: readersName,
    ip: machine.address,
  }));
}

function urlOf(plan: GrafanaPlan, { machine }: PlannedNode): string {
  return `https://${machine.address}:${plan.settings.grafana.port}/`;
}

/** Addresses of Grafana in the stack's network; undefined where the stack has none. */
export function grafanaUrls(plan: GrafanaPlan): readonly string[] | undefined {
  const { nodes } = plan.tiers.grafana;
  return nodes.length === 0 ? undefined : nodes.map((node) => urlOf(plan, node));
}

/** Rendered files of a node without secrets, path -> content. */
export function grafanaFiles(
  plan: GrafanaPlan,
  node: PlannedNode,
): Readonly<Record<string, string>> {
  const { grafana, monitoring } = plan.settings;
  const dashboards = stackDashboards(plan);
  const file = (uid: string) => `${dashboardFolder}/${uid}.json`;
  const view: GrafanaView = {
    node: node.key,
    address: node.machine.address,
    port: grafana.port,
    url: urlOf(plan, node),
    homeDashboard: file(dashboards[0]?.uid ?? ""),
  };
  const tls = plan.settings.pki.metricsTls !== "off";
  const source: GrafanaDataSourceView = {
    ...dataSource,
    url: `${tls ? "https" : "http"}://${readersName}:${monitoring.readerPort}`,
    authority: tls ? `$__file{${stackAuthority}}` : null,
    scrapeIntervalSeconds: monitoring.scrapeIntervalSeconds,
  };
  const provider: GrafanaDashboardsView = { folder: dashboardFolder };
  const provisioning = "/etc/grafana/provisioning";
  return {
    "/etc/grafana/grafana.ini": renderTemplate("grafana/grafana.ini.hbs", view),
    [`${provisioning}/datasources/holdfast.yaml`]: renderTemplate(
      "grafana/datasources.yml.hbs",
      source,
    ),
    [`${provisioning}/dashboards/holdfast.yaml`]: renderTemplate(
      "grafana/dashboards.yml.hbs",
      provider,
    ),
    ...Object.fromEntries(
      dashboards.map((dashboard) => [file(dashboard.uid), dashboardJson(dashboard)]),
    ),
  };
}
