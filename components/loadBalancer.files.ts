import { renderTemplate } from "../model/rendering";
import type { Backend, PlannedNode, StackPlan } from "../model/stack";
import type {
  HaproxyService,
  HaproxyView,
  KeepalivedView,
  LoadBalancerSupervisorView,
  SecondChanceView,
} from "../model/views";
import type { tiers } from "../tiers";

/** Seconds between the hand-over of the addresses and HAProxy's soft stop. */
export const closeSeconds = 2;

/** Seconds that a database session may be idle on a load balancer. */
const sessionTimeoutSeconds = 3600;

/** Rendered files of a load balancer node, path -> content. The edge's certificate is not among them. */
export function loadBalancerFiles(
  plan: StackPlan<typeof tiers>,
  node: PlannedNode,
): Readonly<Record<string, string>> {
  const settings = plan.settings.loadBalancer;
  const { address, interface: device } = node.machine;
  const nodes = plan.tiers.loadBalancer.nodes;
  const peer = nodes.find(({ key }) => key !== node.key)?.machine.address ?? null;
  const virtualAddresses = plan.vips ? [plan.vips.edge, plan.vips.internal] : [];
  const haproxy: HaproxyView = {
    node: node.key,
    address,
    statusPort: settings.statusPort,
    maxConnections: settings.maxConnections,
    // Each request of a client may need one more on its way to the application.
    totalConnections: 2 * settings.maxConnections,
    connectionsPerClient: settings.connectionsPerClient,
    requestsPerClient: settings.requestsPerClient,
    clientWindowSeconds: settings.clientWindowSeconds,
    maxHeaderBytes: settings.maxHeaderBytes,
    maxBodyBytes: settings.maxBodyBytes,
    requestTimeoutSeconds: settings.requestTimeoutSeconds,
    keepAliveSeconds: settings.keepAliveSeconds,
    sessionTimeoutSeconds,
    hardStopSeconds: settings.drainSeconds,
    hstsSeconds: settings.hstsSeconds,
    services: plan.backends.map((backend) => serviceOf(backend, settings.redirectToHttps)),
  };
  const keepalived: KeepalivedView = {
    node: node.key,
    interface: device,
    address,
    peer,
    virtualRouterId: settings.virtualRouterId,
    priority: 150 - 10 * nodes.findIndex(({ key }) => key === node.key),
    virtualAddresses,
  };
  const secondChance: SecondChanceView = {
    interface: device,
    peer,
    heartbeatPort: settings.heartbeatPort,
    virtualAddresses,
  };
  const supervisor: LoadBalancerSupervisorView = {
    role: "load-balancer",
    node: node.key,
    interface: device,
    address,
    peer,
    heartbeatPort: settings.heartbeatPort,
    statusPort: settings.statusPort,
    supervisorPort: settings.supervisorPort,
    virtualAddresses,
    closeSeconds,
    hardStopSeconds: settings.drainSeconds,
  };
  return {
    "/etc/holdfast/haproxy.cfg": renderTemplate("haproxy/haproxy.cfg.hbs", haproxy),
    "/etc/holdfast/keepalived.conf": renderTemplate("keepalived/keepalived.conf.hbs", keepalived),
    "/etc/holdfast/second-chance.nft": renderTemplate(
      "second-chance/second-chance.nft.hbs",
      secondChance,
    ),
    "/etc/holdfast/supervisor.json": `${JSON.stringify(supervisor, null, 2)}\n`,
  };
}

function serviceOf(backend: Backend, redirectToHttps: boolean): HaproxyService {
  const secure = backend.ports.find(({ tls }) => tls)?.port;
  const http = backend.mode === "http";
  return {
    name: backend.endpoint,
    http,
    edge: backend.vip === "edge",
    binds: backend.ports.map(({ port, tls }) => ({ address: backend.address, port, tls })),
    redirectPort:
      redirectToHttps && secure !== undefined
        ? { suffix: secure === 443 ? "" : `:${secure}` }
        : null,
    checkPath: backend.check.path,
    fallback: backend.fallback ?? null,
    cutSessionsWhenDown: backend.cutSessionsWhenDown ?? false,
    servers: backend.servers.map((server) => ({
      ...server,
      checkPort: backend.check.port ?? null,
    })),
    // A check of TCP is the agent's word on its role: nobody else is asked.
    askUnchecked: http && backend.servers.length > 1,
  };
}
