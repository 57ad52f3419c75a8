import { z } from "zod";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { webDashboard } from "./webPool.dashboard";

const settings = z.strictObject({
  ...placement({ min: 1, max: 9, default: 2 }),
  port: port("Port of nginx.", 8080),
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

function listeners(values: WebPoolSettings): readonly Listener[] {
  return [
    {
      name: "http",
      protocol: "tcp",
      port: values.port,
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
} as const satisfies TierDeclaration<typeof settings>;
