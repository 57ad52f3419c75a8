import { z } from "zod";
import type { Problem } from "../model/settings";
import type { StackPlan } from "../model/stack";
import { placement, port, type Balanced, type Listener, type TierDeclaration } from "../model/tier";
import { tlsListener, tlsSettings, type TlsStage } from "../model/tls";
import { appDashboard } from "./appPool.dashboard";
import { appMetrics } from "./appPool.metrics";

/** Files of an application that speaks TLS, below `/run/secrets`. */
export const tlsSecrets = {
  authority: "ca.pem",
  certificate: "tls.pem",
  privateKey: "tls.key",
} as const;

const path = (fallback: string, description: string) =>
  z
    .string()
    .regex(/^\/\S*$/, { error: "a path starts with /" })
    .default(fallback)
    .describe(description);

const settings = z.strictObject({
  ...placement({ min: 1, max: 9, default: 2 }),
  image: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Image of your application, best with a digest: `registry.example.com/shop@sha256:...`. Default: a sample application, built here.",
    ),
  sample: z
    .enum(["hello", "property"])
    .default("hello")
    .describe(
      "Sample application where `image` names none. `hello` greets; `property` keeps data in the database and the cache.",
    ),
  command: z
    .array(z.string())
    .readonly()
    .optional()
    .describe("Command instead of the image's own, as a list of words."),
  migrationCommand: z
    .array(z.string())
    .min(1)
    .readonly()
    .optional()
    .describe(
      "Command of the image that brings the database's schema up to date, run once before the nodes roll. Default: none; the property application has its own.",
    ),
  migrationTimeoutSeconds: z
    .int()
    .min(10)
    .default(600)
    .describe("Seconds that the migrations may take."),
  port: port("Port on which the application listens.", 8080),
  ...tlsSettings(
    "Default: `require` for the samples; with an image of one's own it has to be said.",
    "Other than `off` for an application that serves TLS on `TLS_PORT` with the files that `TLS_CERTIFICATE` and `TLS_KEY` name, as the samples do. In `require` `HOST` is 127.0.0.1 for what it serves without TLS on `PORT`: the machine's own checks.",
  ),
  endpointPort: port("Port of endpoint `app` on the internal virtual address.", 8080),
  endpointTlsPort: port("Port of endpoint `app` for TLS, which the load balancers end.", 8443),
  healthPath: path("/healthz", "Path that answers 200 while the process is alive."),
  readyPath: path(
    "/readyz",
    "Path that answers 200 while the node may receive requests; 404 or 503 while it drains.",
  ),
  healthCommand: z
    .array(z.string())
    .min(1)
    .readonly()
    .optional()
    .describe(
      "Command that exits with 0 while the process is alive, as a list of words; the engine runs it every 10 seconds. Default: the image's own health check.",
    ),
  metricsPath: path("/metrics", "Path of the Prometheus metrics."),
  environment: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
        error: "the name of a variable has letters, digits and underscores",
      }),
      z.union([z.string(), z.number(), z.boolean()]).transform(String),
    )
    .readonly()
    .default({})
    .describe("Environment variables; not for secrets. The hello application knows `GREETING`."),
  secrets: z
    .record(
      z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, {
        error: "the name of a secret is a plain file name",
      }),
      z.string(),
    )
    .readonly()
    .default({})
    .describe("Secret. Files below `/run/secrets`, by name."),
  user: z
    .string()
    .regex(/^\d+(:\d+)?$/, { error: "a numeric user, `uid` or `uid:gid`" })
    .optional()
    .describe("User that the process runs as and that may read the secrets. Default: the image's."),
  memoryMegabytes: z.int().min(16).default(256).describe("Memory limit of a node in MiB."),
  stopTimeoutSeconds: z
    .int()
    .min(1)
    .max(300)
    .default(30)
    .describe("Seconds between SIGTERM and SIGKILL; the application drains in between."),
  startTimeoutSeconds: z
    .int()
    .min(5)
    .max(600)
    .default(60)
    .describe("Seconds that a new node may take until the load balancers see it in service."),
});

export type AppPoolSettings = z.output<typeof settings>;

/** The plan of a stack with the tier. */
type AppPlan = StackPlan<{ readonly appPool: TierDeclaration<typeof settings> }>;

/** How web nodes and load balancers speak to the application. */
export const appTls = ({ tls }: Pick<AppPoolSettings, "tls">): TlsStage => tls ?? "require";

/**
 * The endpoint has its port for TLS in `off` too: web nodes that use it roll last, and must still
 * reach it while a stack goes back to `off`.
 */
function endpointPorts(values: AppPoolSettings): Balanced["ports"] {
  const plain = { port: values.endpointPort, tls: false };
  const secure = { port: values.endpointTlsPort, tls: true };
  switch (appTls(values)) {
    case "off":
      return [plain, secure];
    case "prefer":
      return [secure, plain];
    case "require":
      return [secure];
  }
}

function listeners(values: AppPoolSettings): readonly Listener[] {
  return [
    {
      name: "http",
      protocol: "tcp",
      ...tlsListener(values, appTls(values)),
      from: ["webPool"],
      purpose: "requests to the application",
      metricsPath: values.metricsPath,
      polledPaths: [values.healthPath],
      balanced: [
        {
          endpoint: "app",
          vip: "internal",
          ports: endpointPorts(values),
          mode: "http",
          check: { path: values.readyPath },
        },
      ],
    },
  ];
}

/** Contradictions between the settings of the application and others. */
function problems({ settings: { appPool: values } }: AppPlan): Problem[] {
  if (values.image !== undefined && values.tls === undefined) {
    return [
      {
        key: "holdfast:appPool.tls",
        found: "nothing",
        allowed: `off, where image ${values.image} serves plain HTTP; require, where it serves TLS on the port in TLS_PORT`,
      },
    ];
  }
  const stage = appTls(values);
  if (stage === "off") return [];
  const taken = Object.values<string>(tlsSecrets);
  return Object.keys(values.secrets)
    .filter((name) => taken.includes(name))
    .map((name) => ({
      key: `holdfast:appPool.secrets.${name}`,
      found: "a secret value",
      allowed: `another name, because holdfast:appPool.tls is ${stage} and the stack's own file is called so`,
    }));
}

export const appPool = {
  name: "appPool",
  key: "app",
  summary:
    "The application: any image that keeps a small contract (a port, /healthz, /readyz, /metrics, logs to stdout, drains on SIGTERM). Nodes are alike; when one dies the load balancers stop using it within a second and repeat safe requests on another.",
  serviceClass: "critical",
  settings,
  labHost: 31,
  listeners,
  metrics: appMetrics,
  dashboard: appDashboard,
  problems,
} as const satisfies TierDeclaration<typeof settings>;
