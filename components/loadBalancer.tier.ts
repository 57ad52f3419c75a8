import { z } from "zod";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";

const settings = z
  .strictObject({
    ...placement({ min: 0, max: 2, default: 2 }),
    edgeVip: z
      .ipv4()
      .optional()
      .describe("Virtual address for clients. Default in the lab: .5 of the network."),
    internalVip: z
      .ipv4()
      .optional()
      .describe("Virtual address between tiers. Default in the lab: .6 of the network."),
    statusPort: port("Port of statistics and metrics, for the operator and monitoring.", 8404),
    heartbeatPort: port("UDP port on which the pair tells each other that it is alive.", 8405),
    virtualRouterId: z
      .int()
      .min(1)
      .max(255)
      .default(51)
      .describe("VRRP router id; unique in the network segment."),
    maxConnections: z
      .int()
      .min(100)
      .default(10000)
      .describe("Connections that one load balancer holds at once."),
    maxBodyBytes: z
      .int()
      .min(1024)
      .default(10 * 1024 * 1024)
      .describe("Largest request body in bytes; larger ones get 413."),
    requestTimeoutSeconds: z
      .int()
      .min(1)
      .max(600)
      .default(30)
      .describe("Seconds that a server may take to answer."),
    keepAliveSeconds: z
      .int()
      .min(1)
      .max(120)
      .default(25)
      .describe("Seconds that an idle client connection is kept."),
    drainSeconds: z
      .int()
      .min(5)
      .max(300)
      .default(30)
      .describe("Seconds after which a stopping load balancer cuts what is still open."),
  })
  .refine(({ keepAliveSeconds, drainSeconds }) => keepAliveSeconds < drainSeconds, {
    path: ["keepAliveSeconds"],
    error: "less than drainSeconds, or a stopping load balancer cuts idle clients off",
  });

export type LoadBalancerSettings = z.output<typeof settings>;

function listeners(values: LoadBalancerSettings): readonly Listener[] {
  return [
    { name: "vrrp", protocol: "vrrp", from: ["peers"], purpose: "who holds the virtual addresses" },
    {
      name: "heartbeat",
      protocol: "udp",
      port: values.heartbeatPort,
      from: ["peers"],
      purpose: "the peer is alive and may be handed its old connections",
    },
    {
      name: "status",
      protocol: "tcp",
      port: values.statusPort,
      from: ["admin"],
      purpose: "statistics and metrics",
      metricsPath: "/metrics",
    },
  ];
}

export const loadBalancer = {
  name: "loadBalancer",
  key: "lb",
  summary:
    "HAProxy and keepalived, an active and a standby node. They hold the virtual addresses, end TLS, check every server twice a second and send requests only where they are answered. When the active node dies the standby takes the addresses within a second; when it is replaced it finishes what it holds while the other already serves.",
  serviceClass: "critical",
  settings,
  labHost: 11,
  vips: (values, host) => ({
    edge: values.edgeVip ?? host(5),
    internal: values.internalVip ?? host(6),
  }),
  listeners,
} as const satisfies TierDeclaration<typeof settings>;
