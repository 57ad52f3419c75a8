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
    maxBodyBytes: settings.maxBodyBytes,
    requestTimeoutSeconds: settings.requestTimeoutSeconds,
    keepAliveSeconds: settings.keepAliveSeconds,
    sessionTimeoutSeconds,
    hardStopSeconds: settings.drainSeconds,
    services: plan.backends.map(serviceOf),
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

function serviceOf(backend: Backend): HaproxyService {
  return {
    name: backend.endpoint,
    http: backend.mode === "http",
    edge: backend.vip === "edge",
    binds: backend.ports.map(({ port, tls }) => ({ address: backend.address, port, tls })),
    checkPath: backend.check.path,
    cutSessionsWhenDown: backend.cutSessionsWhenDown ?? false,
    servers: backend.servers.map((server) => ({
      ...server,
      checkPort: backend.check.port ?? null,
      backup: false,
    })),
  };
}
