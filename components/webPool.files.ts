import { renderTemplate } from "../model/rendering";
import type { PlannedNode, StackPlan } from "../model/stack";
import { servedStage } from "../model/tls";
import type { NginxView, WebSupervisorView } from "../model/views";
import type { tiers } from "../tiers";

/** Where nginx tells of itself, on the loopback address of its machine alone. */
export const nginxStatus = { port: 8090, path: "/nginx_status" } as const;

/** Whether the node speaks TLS with anybody, and so needs a certificate or the authority's. */
export function speaksTls({ tiers: { webPool, appPool } }: StackPlan<typeof tiers>): boolean {
  return servedStage(webPool) !== "off" || servedStage(appPool) !== "off";
}

/** Rendered files of a web node, path -> content. */
export function webPoolFiles(
  plan: StackPlan<typeof tiers>,
  node: PlannedNode,
): Readonly<Record<string, string>> {
  const settings = plan.settings.webPool;
  const stage = servedStage(plan.tiers.webPool);
  const app = plan.endpoints.find(({ name }) => name === "app");
  if (!app) throw new Error("no tier offers endpoint app");
  const nginx: NginxView = {
    node: node.key,
    port: settings.port,
    plainOnLoopback: stage === "require",
    tlsPort: stage === "off" ? null : settings.tlsPort,
    statusPort: nginxStatus.port,
    trustedProxies: plan.tiers.loadBalancer.nodes.map(({ machine }) => machine.address),
    app: {
      balanced: plan.vips !== undefined,
      tlsName: app.serverName ?? null,
      servers: [{ address: app.address, port: app.port }],
    },
    maxBodyBytes: plan.settings.loadBalancer.maxBodyBytes,
    readTimeoutSeconds: settings.readTimeoutSeconds,
    shutdownTimeoutSeconds: settings.readTimeoutSeconds,
  };
  const supervisor: WebSupervisorView = {
    role: "web",
    node: node.key,
    port: settings.port,
    drainSeconds: settings.drainSeconds,
  };
  return {
    "/etc/nginx/nginx.conf": renderTemplate("nginx/nginx.conf.hbs", nginx),
    "/etc/holdfast/supervisor.json": `${JSON.stringify(supervisor, null, 2)}\n`,
  };
}
