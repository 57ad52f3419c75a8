import { renderTemplate } from "../model/rendering";
import type { Backend, PlannedNode, StackPlan } from "../model/stack";
import { plainBackend } from "../model/tls";
import type {
  AcmeView,
  HaproxyPool,
  HaproxyServer,
  HaproxyService,
  HaproxyView,
  KeepalivedView,
  LoadBalancerSupervisorView,
  SecondChanceView,
} from "../model/views";
import type { tiers } from "../tiers";
import type { LoadBalancerSettings } from "./loadBalancer.tier";
import { tlsFolder } from "./pki";

/** Seconds between the hand-over of the addresses and HAProxy's soft stop. */
export const closeSeconds = 2;

/**
 * Certificates with which the load balancers end TLS: certificate and key in one file, as HAProxy
 * reads them. Clients at the edge meet the one, with ACME until there is another; tiers at endpoints,
 * and whoever asks for statistics, meet the other.
 */
export const edgePem = `${tlsFolder}/edge.pem`;
export const endpointsPem = `${tlsFolder}/endpoints.pem`;

/** What ACME adds to a node. */
export const acmeFiles = {
  accountKey: "/etc/holdfast/acme/account.key",
  answer: "/etc/holdfast/acme/answer",
  directoryAuthority: "/etc/holdfast/acme/directory-authority.pem",
  /** What HAProxy shows. */
  shown: "/run/holdfast/edge.pem",
  /** Of the volume. */
  kept: "/var/lib/acme",
} as const;

/** Seconds that a database session may be idle on a load balancer. */
const sessionTimeoutSeconds = 3600;

/** Rendered files of a load balancer node, path -> content. The edge's certificate is not among them. */
export function loadBalancerFiles(
  plan: StackPlan<typeof tiers>,
  node: PlannedNode,
): Readonly<Record<string, string>> {
  const settings = plan.settings.loadBalancer;
  const { metricsTls } = plan.settings.pki;
  const { address, interface: device } = node.machine;
  const nodes = plan.tiers.loadBalancer.nodes;
  const other = nodes.find(({ key }) => key !== node.key);
  const peer = other?.machine.address ?? null;
  const byAcme = settings.certificate === "acme";
  const virtualAddresses = plan.vips ? [plan.vips.edge, plan.vips.internal] : [];
  const haproxy: HaproxyView = {
    node: node.key,
    address,
    statusPort: settings.statusPort,
    statusCertificate: metricsTls === "require" ? endpointsPem : null,
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
    acmeAnswerFile: byAcme ? acmeFiles.answer : null,
    services: plan.backends.map((backend) => serviceOf(backend, settings)),
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
    tls: metricsTls,
    virtualAddresses,
    closeSeconds,
    hardStopSeconds: settings.drainSeconds,
    acme: byAcme ? acmeView(settings, other) : null,
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

function acmeView(
  { acme, hostnames, certificatePort }: LoadBalancerSettings,
  other: PlannedNode | undefined,
): AcmeView {
  return {
    directory: acme.directory,
    email: acme.email ?? "",
    hostnames,
    renewBeforeDays: acme.renewBeforeDays,
    certificatePort,
    peer: other ? { node: other.key, address: other.machine.address } : null,
    files: {
      shown: acmeFiles.shown,
      placeholder: edgePem,
      accountKey: acmeFiles.accountKey,
      directoryAuthority:
        acme.directoryAuthority === undefined ? null : acmeFiles.directoryAuthority,
      kept: acmeFiles.kept,
      work: "/run/holdfast/acme-order",
      tls: {
        certificate: `${tlsFolder}/node.pem`,
        key: `${tlsFolder}/node.key`,
        authority: `${tlsFolder}/ca.pem`,
      },
    },
  };
}

function serviceOf(
  backend: Backend,
  { redirectToHttps, certificate: source }: LoadBalancerSettings,
): HaproxyService {
  const secure = backend.ports.find(({ tls }) => tls)?.port;
  const edge = backend.vip === "edge";
  const certificate = edge
    ? { certificate: source === "acme" ? acmeFiles.shown : edgePem, protocols: "h2,http/1.1" }
    : { certificate: endpointsPem, protocols: "http/1.1" };
  return {
    name: backend.endpoint,
    http: backend.mode === "http",
    edge,
    binds: backend.ports.map(({ port, tls }) => ({
      address: backend.address,
      port,
      tls: tls ? certificate : null,
    })),
    redirectPort:
      redirectToHttps && secure !== undefined
        ? { suffix: secure === 443 ? "" : `:${secure}` }
        : null,
    checkPath: backend.check.path,
    fallback: backend.fallback ?? null,
    cutSessionsWhenDown: backend.cutSessionsWhenDown ?? false,
    ...poolsOf(backend),
  };
}

/** How the servers are reached: with TLS, without, or either where they are being switched. */
function poolsOf(backend: Backend): Pick<HaproxyService, "pools" | "choice"> {
  const { endpoint: name, servers, check, checkTls, tls } = backend;
  const checkPort = check.port ?? null;
  const plain = servers.map(({ tlsPort: _, ...server }): HaproxyServer => ({
    ...server,
    tlsName: null,
    checkPort,
    checkTlsName: checkTls ? server.name : null,
  }));
  const secure = servers.map(({ tlsPort, ...server }): HaproxyServer => ({
    ...server,
    port: tlsPort ?? server.port,
    tlsName: server.name,
    checkPort,
    checkTlsName: checkTls ? server.name : null,
  }));
  // A check of TCP is the agent's word on its role: nobody else is asked.
  const askUnchecked = backend.mode === "http" && servers.length > 1;
  const unchecked = (all: readonly HaproxyServer[], suffix = "unchecked") =>
    askUnchecked ? all.map((server) => ({ ...server, name: `${server.name}-${suffix}` })) : [];
  const pool = (
    checked: readonly HaproxyServer[],
    others: readonly HaproxyServer[] = [],
    called = name,
  ): HaproxyPool => ({
    name: called,
    servers: checked,
    unchecked: others,
    tls: [...checked, ...others].some(({ tlsName }) => tlsName !== null),
  });
  switch (tls) {
    case "off":
      return { pools: [pool(plain, unchecked(plain))], choice: null };
    case "require":
      return { pools: [pool(secure, unchecked(secure))], choice: null };
    case "prefer": {
      // Servers without a check would count as in service in the pool that they are in.
      const all = [...unchecked(secure), ...unchecked(plain, "plain-unchecked")];
      const last = askUnchecked ? [pool([], all, `${name}-unchecked`)] : [];
      return {
        pools: [pool(secure), pool(plain, [], plainBackend(name)), ...last],
        choice: { plain: plainBackend(name), unchecked: last[0]?.name ?? null },
      };
    }
  }
}
