/* What a load balancer's supervisor knows, as Prometheus reads it. Pure. */

/** States in which keepalived's notify script leaves a load balancer. */
const vrrpStates = ["init", "backup", "master", "fault"] as const;

/** What is known when the metrics are asked for. */
export interface BalancerFacts {
  /** Last word of keepalived: `MASTER`. */
  readonly vrrp: string;
  /** HAProxy answers and has checked every server. */
  readonly fit: boolean;
  readonly draining: boolean;
  /** The peer's heartbeats arrive; undefined where there is no peer. */
  readonly peerAlive: boolean | undefined;
}

function metric(name: string, help: string, samples: readonly (readonly [string, boolean])[]) {
  return [
    `# HELP holdfast_lb_${name} ${help}`,
    `# TYPE holdfast_lb_${name} gauge`,
    ...samples.map(([labels, value]) => `holdfast_lb_${name}${labels} ${value ? 1 : 0}`),
  ];
}

/** The facts in the text format. */
export function balancerMetrics({ vrrp, fit, draining, peerAlive }: BalancerFacts): string {
  const lines = [
    ...metric(
      "vrrp_state",
      "1 for the state that keepalived is in: master holds the virtual addresses.",
      vrrpStates.map((state) => [`{state="${state}"}`, vrrp.toLowerCase() === state]),
    ),
    ...metric("fit", "HAProxy answers and has checked every server.", [["", fit]]),
    ...metric("draining", "The node is about to stop.", [["", draining]]),
    ...(peerAlive === undefined
      ? []
      : metric("peer_alive", "The other load balancer's heartbeats arrive.", [["", peerAlive]])),
  ];
  return `${lines.join("\n")}\n`;
}
