import { byNode, silentOr } from "../model/alertExpressions";
import type { Alert } from "../model/alerts";

/** Alerts of the pair of load balancers; a single one has no standby to lose. */
export function loadBalancerAlerts({ count }: { readonly count: number }): readonly Alert[] {
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
