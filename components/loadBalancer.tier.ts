import { z } from "zod";
import { certificateProblems, isCertificates, type CertificateFiles } from "../model/certificate";
import type { Problem } from "../model/settings";
import type { StackPlan } from "../model/stack";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { loadBalancerAlerts } from "./loadBalancer.alerts";
import { loadBalancerDashboard } from "./loadBalancer.dashboard";
import { loadBalancerMetrics } from "./loadBalancer.metrics";

/** Certificates that a private ACME server needs to be believed, and what is said of others. */
const authorities = () =>
  z.string().refine(isCertificates, { error: "certificates in PEM, no private key" }).optional();

const acme = z
  .strictObject({
    directory: z
      .string()
      .regex(/^https:\/\/[^\s/?#]+(\/\S*)?$/, {
        error: "an address such as https://acme-v02.api.letsencrypt.org/directory",
      })
      .default("https://acme-v02.api.letsencrypt.org/directory")
      .describe("Directory of the ACME server, its address with https. Default: Let's Encrypt's."),
    email: z
      .string()
      .regex(/^[^\s@/]+@[^\s@/]+$/, { error: "an address of mail such as ops@example.com" })
      .optional()
      .describe("Whom the authority may write to. Needed."),
    termsAgreed: z
      .boolean()
      .default(false)
      .describe("True: you agree to the authority's terms of service. Needed."),
    renewBeforeDays: z
      .int()
      .min(1)
      .max(90)
      .default(30)
      .describe(
        "Days before its end from which a certificate is renewed; never before two thirds of its life are over.",
      ),
    directoryAuthority: authorities().describe(
      "Certificate in PEM by which the ACME server itself is verified, where it is a private one.",
    ),
    issuingAuthority: authorities().describe(
      "Certificate in PEM of the authority that issues, where not every system trusts it: by it the monitors verify.",
    ),
  })
  .readonly();

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
    supervisorPort: port("Port of the supervisor: the node's state and its own metrics.", 8406),
    certificatePort: port(
      "Port on which a load balancer gives its peer the edge's certificate, where `certificate` is `acme`.",
      8407,
    ),
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
      .describe(
        "Connections of clients that one load balancer holds at once; those between tiers are on top.",
      ),
    connectionsPerClient: z
      .int()
      .min(1)
      .default(4000)
      .describe(
        "Connections that one client address holds at once; more are refused. Many clients share an address behind a proxy or a CDN.",
      ),
    requestsPerClient: z
      .int()
      .min(1)
      .default(50000)
      .describe(
        "Requests of one client address that are passed on in `clientWindowSeconds`; more get 429. Each load balancer counts for itself: one of them holds the address at a time.",
      ),
    clientWindowSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(10)
      .describe("Seconds over which the requests of a client address are counted."),
    maxHeaderBytes: z
      .int()
      .min(1024)
      .max(14336)
      .default(12288)
      .describe(
        "Largest header of a client's request in bytes, all fields together; larger ones get 431, from 15 KiB on 400.",
      ),
    hostnames: z
      .array(
        z
          .string()
          .max(253)
          .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
            error: "a host name in lower case such as shop.example.com",
          }),
      )
      .readonly()
      .default([])
      .describe("Names under which clients reach the stack; its certificate is valid for them."),
    certificate: z
      .enum(["stack", "files", "acme"])
      .default("stack")
      .describe(
        "Where the edge's certificate comes from. `stack`: the stack's own authority, which clients must be told to trust. `files`: yours, in `secrets`. `acme`: from an authority that speaks ACME, such as Let's Encrypt, renewed by the load balancers themselves; it must reach the edge at `hostnames` on port 80.",
      ),
    acme: acme
      .prefault({})
      .describe("Where certificates come from and on whose behalf, where `certificate` is `acme`."),
    secrets: z
      .strictObject({
        certificateChain: z
          .string()
          .min(1)
          .optional()
          .describe(
            "Secret. Your certificate in PEM and after it those of its authorities, up to the last one where it is not a public one: by it the monitors verify. A new one is put in place by an ordinary update.",
          ),
        certificateKey: z
          .string()
          .min(1)
          .optional()
          .describe("Secret. Its private key in PEM, without a passphrase."),
      })
      .readonly()
      .default({})
      .describe("Secret. The edge's own certificate, where `certificate` is `files`."),
    redirectToHttps: z
      .boolean()
      .default(false)
      .describe(
        "True: requests over HTTP are sent to HTTPS, but for `/healthz` and `/.well-known/acme-challenge/`.",
      ),
    hstsSeconds: z
      .int()
      .min(0)
      .default(0)
      .describe(
        "Seconds for which browsers use nothing but HTTPS (Strict-Transport-Security); 0: not said. It cannot be taken back, so begin with few.",
      ),
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
  })
  .superRefine((values, context) => {
    for (const { key, allowed } of wrongCertificate(values, new Date())) {
      context.addIssue({ code: "custom", path: key, message: allowed });
    }
  });

export type LoadBalancerSettings = z.output<typeof settings>;

interface CertificateSettings {
  readonly certificate: "stack" | "files" | "acme";
  readonly hostnames: readonly string[];
  readonly acme: z.output<typeof acme>;
  readonly secrets: {
    readonly certificateChain?: string | undefined;
    readonly certificateKey?: string | undefined;
  };
}

/** Setting that holds each file. */
const secretOf = {
  chain: "certificateChain",
  privateKey: "certificateKey",
} as const satisfies Record<keyof CertificateFiles, string>;

/** What is wrong with the settings of the edge's certificate, each with its key. */
function wrongCertificate(values: CertificateSettings, now: Date) {
  const { certificate, hostnames, secrets } = values;
  const { certificateChain: chain, certificateKey: privateKey } = secrets;
  const at = (file: keyof CertificateFiles) => ["secrets", secretOf[file]];
  if (certificate !== "files") {
    const allowed = `nothing, because holdfast:loadBalancer.certificate is ${certificate}`;
    return [
      ...(certificate === "acme" ? wrongAcme(values) : []),
      ...(chain === undefined ? [] : [{ key: at("chain"), allowed }]),
      ...(privateKey === undefined ? [] : [{ key: at("privateKey"), allowed }]),
    ];
  }
  const because = "because holdfast:loadBalancer.certificate is files";
  const missing = [
    ...(chain === undefined
      ? [{ key: at("chain"), allowed: `certificates in PEM, ${because}` }]
      : []),
    ...(privateKey === undefined
      ? [{ key: at("privateKey"), allowed: `a private key in PEM, ${because}` }]
      : []),
    ...(hostnames.length === 0
      ? [{ key: ["hostnames"], allowed: `at least one of the certificate's names, ${because}` }]
      : []),
  ];
  if (chain === undefined || privateKey === undefined) return missing;
  return [
    ...missing,
    ...certificateProblems({ chain, privateKey }, hostnames, now).map(({ file, allowed }) => ({
      key: at(file),
      allowed,
    })),
  ];
}

/** What an authority that speaks ACME would refuse, each with its key. */
function wrongAcme({ hostnames, acme: { email, termsAgreed } }: CertificateSettings) {
  const because = "because holdfast:loadBalancer.certificate is acme";
  const wrong = (key: readonly string[], allowed: string) => ({ key: [...key], allowed });
  return [
    ...(hostnames.length === 0 || hostnames.some((name) => /^[\d.]+$/.test(name))
      ? [wrong(["hostnames"], `at least one host name and no addresses, ${because}`)]
      : []),
    ...(email === undefined
      ? [wrong(["acme", "email"], `an address of mail such as ops@example.com, ${because}`)]
      : []),
    ...(termsAgreed
      ? []
      : [
          wrong(
            ["acme", "termsAgreed"],
            `true, which says that you agree to the authority's terms of service, ${because}`,
          ),
        ]),
  ];
}

/** An authority asks for the proof on port 80 of the edge, and what it issues is for TLS there. */
function problems(plan: StackPlan): readonly Problem[] {
  const { certificate, count } = plan.settings["loadBalancer"] as unknown as LoadBalancerSettings;
  if (certificate !== "acme") return [];
  const key = "holdfast:loadBalancer.certificate";
  if (count === 0) {
    return [{ key, found: '"acme"', allowed: '"stack", because the stack has no load balancer' }];
  }
  const ports = plan.backends
    .filter(({ vip, mode }) => vip === "edge" && mode === "http")
    .flatMap((backend) => backend.ports);
  const plain = ports.filter(({ tls }) => !tls).map(({ port }) => port);
  if (plain.includes(80)) return [];
  const found = `"acme" with port ${plain.join(", ")} for plain HTTP at the edge`;
  return [
    {
      key,
      found,
      allowed:
        '"acme" with port 80 (holdfast:webPool.edgeHttpPort), where authorities ask for the proof; "stack" or "files" with any',
    },
  ];
}

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
    {
      name: "supervisor",
      protocol: "tcp",
      port: values.supervisorPort,
      eitherWay: true,
      from: [],
      purpose: "state of the node, for gates and as metrics",
      metricsPath: "/metrics",
    },
    ...(values.certificate === "acme"
      ? [
          {
            name: "certificates",
            protocol: "tcp",
            port: values.certificatePort,
            from: ["peers"],
            purpose: "the edge's certificate and its key, for the peer alone",
          } as const satisfies Listener,
        ]
      : []),
  ];
}

export const loadBalancer = {
  name: "loadBalancer",
  key: "lb",
  summary:
    "HAProxy and keepalived, an active and a standby node. They hold the virtual addresses, end TLS, check every server twice a second and send requests only where they are answered; while no server of a pool passes its check, all of them are asked. When the active node dies the standby takes the addresses within a second; when it is replaced it finishes what it holds while the other already serves.",
  serviceClass: "critical",
  settings,
  labHost: 11,
  vips: (values, host) => ({
    edge: values.edgeVip ?? host(5),
    internal: values.internalVip ?? host(6),
  }),
  listeners,
  metrics: loadBalancerMetrics,
  alerts: loadBalancerAlerts,
  statusPort: ({ supervisorPort }) => supervisorPort,
  dashboard: loadBalancerDashboard,
  trustedOutside: ({ certificate }) => certificate === "stack",
  problems,
} as const satisfies TierDeclaration<typeof settings>;
