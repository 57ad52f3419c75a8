import { byNode, nodeInfo } from "./alertExpressions";
import type { Alert, DeclaredAlert } from "./alerts";
import type { StackPlan } from "./stack";
import { failedShare, type SloSettings } from "./slo";
import {
  anyOf,
  burnRateAlerts,
  changeAge,
  changeLimit,
  changeOpen,
  changeStopped,
} from "./sloRules";
import type { Tiers } from "./tier";
import { plainBackend } from "./tls";

/** What the alerts of the whole stack depend on. */
export interface AlertTopology {
  /** Settings name of the tier that clients meet first. */
  readonly edgeTier: string;
  /** HAProxy's backends of which every server has to be in service. */
  readonly httpEndpoints: readonly string[];
  /** Those of them that are being switched to TLS or from it: servers are in service either way. */
  readonly switching: readonly string[];
}

/** Reads the topology from the plan. */
export function alertTopology(plan: StackPlan<Tiers>): AlertTopology {
  const planned = Object.values(plan.tiers);
  const balancer = planned.find(({ declaration }) => declaration.vips !== undefined);
  const edge = plan.backends.find(({ vip }) => vip === "edge");
  const http = plan.vips ? plan.backends.filter(({ mode }) => mode === "http") : [];
  return {
    edgeTier: (plan.vips ? balancer?.name : edge?.tier) ?? "",
    httpEndpoints: http.map(({ endpoint }) => endpoint),
    switching: http.filter(({ tls }) => tls === "prefer").map(({ endpoint }) => endpoint),
  };
}

function symptoms({ edgeTier }: AlertTopology): readonly Alert[] {
  const users = {
    scope: "users",
    severity: "page",
    serviceClass: "critical",
    labels: { tier: edgeTier },
  } as const;
  return [
    {
      ...users,
      name: "VipProbeFailing",
      holdSeconds: 10,
      summary: "Users cannot reach the stack: the probe of {{ $labels.instance }} fails",
      expr: () => 'min by (instance) (probe_success{job="probe-edge"}) == 0',
    },
    {
      ...users,
      name: "RequestsFailing",
      holdSeconds: 15,
      summary: "{{ $value | humanizePercentage }} of the users' requests fail with a server error",
      expr: () => `slo:requests_failed:rate / (slo:requests:rate > 0) > ${failedShare}`,
    },
  ];
}

/** Nodes that a load balancer has in that state in one of the backends. */
const inState = (backends: readonly string[], state: string) =>
  `max by (node) (label_replace(haproxy_server_status{${anyOf("proxy", backends)},state="${state}"}, "node", "$1", "server", "(.+)")) == 1`;

function nodes({ httpEndpoints, switching }: AlertTopology): readonly Alert[] {
  const down = inState(httpEndpoints, "DOWN");
  const outOfService =
    switching.length > 0
      ? `${down} unless on (node) ${inState(switching.map(plainBackend), "UP")}`
      : down;
  return [
    ...(httpEndpoints.length === 0
      ? []
      : [
          {
            name: "NodeOutOfService",
            scope: "node",
            severity: "ticket",
            serviceClass: "important",
            holdSeconds: 30,
            summary: "The load balancers send nothing to {{ $labels.node }}: its check fails",
            expr: () => `(${outOfService}) * on (node) group_left (tier, machine) ${nodeInfo}`,
          } as const satisfies Alert,
        ]),
    {
      name: "TargetDown",
      scope: "target",
      severity: "ticket",
      serviceClass: "important",
      holdSeconds: 30,
      summary: "{{ $labels.job }} on {{ $labels.machine }} does not answer Prometheus",
      expr: () => `max by (job, ${byNode}) (up{job!~"probe-.*"}) == 0`,
    },
  ];
}

function changes(): readonly Alert[] {
  return [
    {
      name: "DeployRunning",
      scope: "signal",
      severity: "none",
      serviceClass: "important",
      holdSeconds: 0,
      summary: "An update or maintenance is going on: nodes leave and come back",
      expr: () => "slo:planned:bool == 1",
    },
    {
      name: "DeployStoppedHalfWay",
      scope: "risk",
      severity: "ticket",
      serviceClass: "important",
      holdSeconds: 0,
      summary: "An update began and did not end: the nodes may be of two versions",
      // Whoever ran it may be gone as well, and says nothing.
      expr: (clock) => `${changeStopped} or ${changeOpen} and ${changeAge} > ${changeLimit(clock)}`,
    },
  ];
}

/** Alerts that every stack has, whatever its tiers. */
export function genericAlerts(topology: AlertTopology, slo: SloSettings): readonly DeclaredAlert[] {
  return [...symptoms(topology), ...burnRateAlerts(slo), ...nodes(topology), ...changes()].map(
    (alert) => ({ serviceClass: "important", ...alert, tier: undefined }),
  );
}
