import { byNode, silentOr } from "../model/alertExpressions";
import type { Alert } from "../model/alerts";
import type { LoadBalancerSettings } from "./loadBalancer.tier";

type AlertSettings = Pick<LoadBalancerSettings, "count" | "certificate">;

/** Alerts of the load balancers. */
export function loadBalancerAlerts(settings: AlertSettings): readonly Alert[] {
  return [...pairAlerts(settings), ...certificateAlerts(settings)];
}

/** Where nobody but the stack's own authority vouches for the edge, browsers turn users away. */
function certificateAlerts({ certificate }: AlertSettings): readonly Alert[] {
  if (certificate !== "acme") return [];
  return [
    {
      name: "EdgeCertificateMissing",
      scope: "tier",
      severity: "page",
      holdSeconds: 60,
      summary: "The edge shows a certificate that clients do not trust: none has been issued",
      expr: () =>
        'max by (tier) ((holdfast_acme_certificate == 0) and on (node) (holdfast_lb_vrrp_state{state="master"} == 1)) == 0',
    },
  ];
}

/** A single one has no standby to lose. */
function pairAlerts({ count }: AlertSettings): readonly Alert[] {
  if (count < 2) return [];
  return [
    {
      name: "LoadBalancerWithoutStandby",
      scope: "node",
      severity: "page",
      holdSeconds: 30,
      summary:
        "{{ $labels.node }} cannot take the virtual addresses: when the other one dies, users are out",
      expr: () =>
        silentOr(
          "lb-status",
          `sum by (${byNode}) (holdfast_lb_vrrp_state{state=~"master|backup"}) == 0`,
        ),
    },
    {
      name: "LoadBalancerTwoMasters",
      scope: "tier",
      severity: "page",
      holdSeconds: 10,
      summary: "Two load balancers hold the virtual addresses: connections break at random",
      expr: () => 'sum by (tier) (holdfast_lb_vrrp_state{state="master"}) > 1',
    },
  ];
}
