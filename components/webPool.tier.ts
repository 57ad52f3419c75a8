import { z } from "zod";
import { placementOf, type Problem, type Settings } from "../model/settings";
import type { PlannedTier, StackPlan } from "../model/stack";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { tlsListener, tlsSettings, type TlsStage } from "../model/tls";
import { webDashboard } from "./webPool.dashboard";

const settings = z.strictObject({
  ...placement({ min: 1, max: 9, default: 2 }),
  port: port("Port of nginx.", 8080),
  ...tlsSettings("Default: `require`, and `off` in a stack without load balancers."),
  edgeHttpPort: port("Port of the edge for HTTP.", 80),
  edgeHttpsPort: port("Port of the edge for HTTPS with HTTP/2.", 443),
  readTimeoutSeconds: z
    .int()
    .min(1)
    .max(600)
    .default(30)
    .describe("Seconds that the application may take to answer."),
  drainSeconds: z
    .number()
    .min(1)
    .max(60)
    .default(2.5)
    .describe(
      "Seconds that a stopping node still serves while the load balancers notice that it leaves.",
    ),
});

export type WebPoolSettings = z.output<typeof settings>;

/** The plan of a stack with the tier. */
type WebPlan = StackPlan<{ readonly webPool: TierDeclaration<typeof settings> }>;

/**
 * How load balancers speak to the nodes. Where there are none clients reach the node itself, and its
 * certificate is not for them.
 */
export function webTls({ tls }: Pick<WebPoolSettings, "tls">, balancers: number): TlsStage {
  return tls ?? (balancers > 0 ? "require" : "off");
}

const balancersOf = (all: Settings) => placementOf(all, "loadBalancer").count;

function listeners(values: WebPoolSettings, all: Settings): readonly Listener[] {
  return [
    {
      name: "http",
      protocol: "tcp",
      ...tlsListener(values, webTls(values, balancersOf(all))),
      from: ["public"],
      purpose: "requests of clients",
      balanced: [
        {
          endpoint: "web",
          vip: "edge",
          ports: [
            { port: values.edgeHttpPort, tls: false },
            { port: values.edgeHttpsPort, tls: true },
          ],
          mode: "http",
          check: { path: "/readyz" },
        },
      ],
    },
  ];
}

/** Contradictions between the settings of the web pool and others. */
function problems({ tiers, settings: { webPool: values } }: WebPlan): Problem[] {
  const balanced = Object.values(tiers).some(
    ({ declaration, nodes }: PlannedTier) => declaration.vips !== undefined && nodes.length > 0,
  );
  if (balanced || (values.tls ?? "off") === "off") return [];
  return [
    {
      key: "holdfast:webPool.tls",
      found: String(values.tls),
      allowed:
        "off, because the stack has no load balancers: clients reach the node itself, and its certificate is not for them",
    },
  ];
}

export const webPool = {
  name: "webPool",
  key: "web",
  summary:
    "nginx in front of the application: buffers slow clients, sets forwarding headers, serves static files. Nodes are alike and hold nothing; when one dies the load balancers stop using it within a second and repeat what it left unanswered on another.",
  serviceClass: "critical",
  settings,
  labHost: 21,
  listeners,
  dashboard: webDashboard,
  problems,
} as const satisfies TierDeclaration<typeof settings>;
