import { stackRules } from "../model/alertsStack";
import { alertmanagerFiles } from "../model/alertsRouting";
import { renderTemplate } from "../model/rendering";
import { edgeUrls, polledPaths, scrapeJobs } from "../model/scrapes";
import type { Problem } from "../model/settings";
import { clockOf, slotSeconds } from "../model/slo";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import type { BlackboxView, MonitoringAgentView, PrometheusView } from "../model/views";
import { metricsOverTls, webConfigArguments, webConfigFiles } from "./metricsServer";
import type { monitoring } from "./monitoring.tier";
import { tlsFolder } from "./pki";

/** The plan of a stack with monitoring. */
export type MonitoringPlan = StackPlan<Tiers & { readonly monitoring: typeof monitoring }>;

/** Where the nodes keep what must outlive them. */
export const monitoringVolume = "/var/lib/monitoring";

/** Seconds that an Alertmanager waits for the one before it to have sent; a page must not wait long. */
const peerTimeoutSeconds = 5;

/** Contradictions between the settings of the monitoring and others. */
export function monitoringProblems(plan: MonitoringPlan): Problem[] {
  if (!plan.vips) return [];
  const balancer = Object.values<StackPlan<Tiers>["tiers"][string]>(plan.tiers).find(
    ({ declaration }) => declaration.vips !== undefined,
  );
  const held = new Set(balancer?.nodes.map(({ machine }) => machine.key));
  return plan.tiers.monitoring.nodes
    .filter(({ machine }) => held.has(machine.key))
    .map(({ key, machine }) => ({
      key: "holdfast:monitoring.machines",
      found: `${key} on ${machine.key}`,
      allowed:
        "machines without a load balancer, because a probe from there says nothing about clients",
    }));
}

/** Name under which whoever has a question finds all readers; their certificates are valid for it. */
export const readersName = "readers.holdfast.internal";

/** Where a node finds the stack's authority. */
export const stackAuthority = `${tlsFolder}/ca.pem`;

const schemeOf = (plan: MonitoringPlan) => (metricsOverTls(plan) ? "https" : "http");

function prometheusUrl(plan: MonitoringPlan, { machine }: PlannedNode): string {
  return `${schemeOf(plan)}://${machine.address}:${plan.settings.monitoring.prometheusPort}`;
}

/** Prometheus' own address in the stack's network. */
export function prometheusUrls(plan: MonitoringPlan): readonly string[] {
  return plan.tiers.monitoring.nodes.map((node) => prometheusUrl(plan, node));
}

function prometheusFile(plan: MonitoringPlan, node: PlannedNode, stack: string): string {
  const settings = plan.settings.monitoring;
  const monitors = plan.tiers.monitoring.nodes;
  const view: PrometheusView = {
    node: node.key,
    stack,
    scrapeIntervalSeconds: settings.scrapeIntervalSeconds,
    slotSeconds,
    alertmanagers: monitors.map(({ machine }) => `${machine.address}:${settings.alertmanagerPort}`),
    monitorsAuthority: metricsOverTls(plan) ? stackAuthority : null,
    jobs: scrapeJobs(plan).map(({ targets, tls, ...job }) => ({
      ...job,
      authorityFile: tls ? stackAuthority : null,
      targets: targets.map(({ about = null, ...target }) => ({ ...target, about })),
    })),
    probes: monitors.flatMap(({ key, machine }) =>
      edgeUrls(plan, settings.probePath).map((url) => ({
        prober: `${machine.address}:${settings.blackboxPort}`,
        monitor: key,
        url,
      })),
    ),
  };
  return renderTemplate("prometheus/prometheus.yml.hbs", view);
}

/** The programs of a node with their arguments; addresses of this machine, never all of them. */
function agentView(plan: MonitoringPlan, node: PlannedNode): MonitoringAgentView {
  const settings = plan.settings.monitoring;
  const { address } = node.machine;
  const at = (port: number) => `${address}:${port}`;
  const url = (port: number, path: string) => `${schemeOf(plan)}://${at(port)}${path}`;
  const peers = plan.tiers.monitoring.nodes.filter(({ key }) => key !== node.key);
  const cluster =
    peers.length === 0
      ? ["--cluster.listen-address="]
      : [
          `--cluster.listen-address=${at(settings.clusterPort)}`,
          `--cluster.advertise-address=${at(settings.clusterPort)}`,
          ...peers.map(
            ({ machine }) => `--cluster.peer=${machine.address}:${settings.clusterPort}`,
          ),
          `--cluster.peer-timeout=${peerTimeoutSeconds}s`,
        ];
  return {
    node: node.key,
    address,
    agentPort: settings.agentPort,
    tls: plan.settings.pki.metricsTls,
    reader: {
      port: settings.readerPort,
      monitors: [node, ...peers].map((monitor) => prometheusUrl(plan, monitor)),
    },
    programs: [
      {
        name: "prometheus",
        command: [
          "prometheus",
          "--config.file=/etc/holdfast/prometheus.yml",
          `--storage.tsdb.path=${monitoringVolume}/prometheus`,
          `--storage.tsdb.retention.time=${settings.retentionDays}d`,
          `--storage.tsdb.retention.size=${settings.retentionGigabytes}GB`,
          `--web.listen-address=${at(settings.prometheusPort)}`,
          ...webConfigArguments(plan),
          `--web.external-url=${url(settings.prometheusPort, "/")}`,
          "--log.format=json",
        ],
        readyUrl: url(settings.prometheusPort, "/-/ready"),
      },
      {
        name: "alertmanager",
        command: [
          "prometheus-alertmanager",
          "--config.file=/etc/holdfast/alertmanager.yml",
          `--storage.path=${monitoringVolume}/alertmanager`,
          `--web.listen-address=${at(settings.alertmanagerPort)}`,
          ...webConfigArguments(plan),
          `--web.external-url=${url(settings.alertmanagerPort, "/")}`,
          "--log.format=json",
          ...cluster,
        ],
        readyUrl: url(settings.alertmanagerPort, "/-/ready"),
      },
      {
        name: "blackbox",
        command: [
          "prometheus-blackbox-exporter",
          "--config.file=/etc/holdfast/blackbox.yml",
          `--web.listen-address=${at(settings.blackboxPort)}`,
          ...webConfigArguments(plan),
          "--log.format=json",
        ],
        readyUrl: url(settings.blackboxPort, "/-/healthy"),
      },
    ],
  };
}

/** Where a probe finds the authority of the edge's certificate, where not every system knows it. */
export const probeAuthority = `${tlsFolder}/edge-ca.pem`;

/** By what probes verify the edge's certificate; by default it is the stack's own. */
export interface ProbeTrust {
  /** Whether the node has the file `probeAuthority`; else the system's authorities count. */
  readonly authority: boolean;
  /** Name that the certificate must be valid for, null where it is the address. */
  readonly name: string | null;
}

/** Rendered files of a monitoring node without secrets, path -> content. `stack` is its name. */
export function monitoringFiles(
  plan: MonitoringPlan,
  node: PlannedNode,
  stack: string,
  trust: ProbeTrust = { authority: true, name: null },
): Readonly<Record<string, string>> {
  const { slo, alerting } = plan.settings;
  const blackbox: BlackboxView = {
    node: node.key,
    timeoutSeconds: slotSeconds - 1,
    authorityFile: trust.authority ? probeAuthority : null,
    serverName: trust.name,
  };
  return {
    "/etc/holdfast/prometheus.yml": prometheusFile(plan, node, stack),
    "/etc/holdfast/rules.yml": stackRules({
      plan,
      slo,
      runbooks: alerting.runbooks,
      polledRoutes: polledPaths(plan),
    }),
    "/etc/holdfast/alertmanager.yml": alertmanagerFiles(alerting, clockOf(slo)).config,
    "/etc/holdfast/blackbox.yml": renderTemplate("blackbox/blackbox.yml.hbs", blackbox),
    ...webConfigFiles(plan),
    "/etc/holdfast/agent.json": `${JSON.stringify(agentView(plan, node), null, 2)}\n`,
  };
}

/** Files with secrets, the same for every node, path -> content. */
export function monitoringSecretFiles(plan: MonitoringPlan): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(alertmanagerFiles(plan.settings.alerting).secrets).map(([name, content]) => [
      `/run/secrets/${name}`,
      content,
    ]),
  );
}
