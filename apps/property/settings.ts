import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { TlsSettings } from "../tls";

const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const text = (fallback: string) => z.string().default(fallback);

const number = (fallback: number, min: number, max: number, kind = "a number") => {
  const error = `${kind}, ${min} to ${max}`;
  const schema = z.coerce.number({ error }).min(min, { error }).max(max, { error });
  return (kind === "a number" ? schema : schema.int({ error })).default(fallback);
};

const whole = (fallback: number, min: number, max: number) =>
  number(fallback, min, max, "a whole number");

const oneOf = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
  z.enum(values, { error: `one of ${values.join(", ")}` }).default(() => fallback);

const addressText = /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/;

function parseAddress(value: string): Address {
  const [, host = "", port = ""] = addressText.exec(value) ?? [];
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

const address = z
  .string({ error: "host:port" })
  .regex(addressText, { error: "host:port" })
  .transform(parseAddress);

const addresses = z
  .string()
  .refine((value) => value.split(",").every((one) => addressText.test(one)), {
    error: "host:port, more of them separated by commas",
  })
  .transform((value) => value.split(",").map(parseAddress));

const environment = z.object({
  HOST: text("0.0.0.0"),
  PORT: whole(8080, 0, 65535),
  NODE_NAME: text(hostname()),
  GREETING: text("Hello, world!"),
  LOG_LEVEL: oneOf(logLevels, "info"),
  DRAIN_SECONDS: number(2.5, 0, 60),
  FINISH_SECONDS: number(20, 0, 300),
  MYSQL_PRIMARY: address,
  MYSQL_REPLICAS: address,
  MYSQL_DATABASE: z
    .string({ error: "letters, digits and underscores" })
    .regex(/^\w{1,64}$/, { error: "letters, digits and underscores" }),
  MYSQL_USER: text("app"),
  POOL_SIZE: whole(10, 1, 200),
  READ_WAIT_SECONDS: number(4, 0.1, 60),
  WRITE_WAIT_SECONDS: number(10, 0.1, 120),
  CONSISTENCY_WAIT_SECONDS: number(0.3, 0, 5),
  MIGRATION_WAIT_SECONDS: number(120, 1, 3600),
  IDEMPOTENCY_HOURS: number(24, 0.01, 720),
  REDIS_SENTINELS: addresses.optional(),
  REDIS_MASTER: text("cache"),
  REDIS_USER: text("app"),
  CACHE_TTL_SECONDS: number(30, 1, 30),
  FLAG_CACHE: oneOf(["on", "off"], "on"),
  SECRETS_DIR: text("/run/secrets"),
  TLS_PORT: whole(0, 0, 65535).optional(),
  TLS_CERTIFICATE: text("/run/secrets/tls.pem"),
  TLS_KEY: text("/run/secrets/tls.key"),
});

/** What the application is told by its environment and its secret files. Times are in ms. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** With what it serves over TLS, too; absent where it does not. */
  readonly tls: TlsSettings | undefined;
  /** Name of this node in answers and logs. */
  readonly node: string;
  /** The message of `/`. */
  readonly greeting: string;
  readonly logLevel: (typeof logLevels)[number];
  /** Time in which a stopping node still serves, so that load balancers notice first. */
  readonly drainMs: number;
  /** Longest wait for requests in flight once the listener is closed. */
  readonly finishMs: number;
  readonly mysql: MysqlSettings;
  /** Absent in a stack without a cache. */
  readonly redis: RedisSettings | undefined;
  /** Longest time that a request may take to find a server for a read. */
  readonly readWaitMs: number;
  /** Longest time that a write waits for a primary. */
  readonly writeWaitMs: number;
  /** Longest wait for a replica to catch up with a reader's own write. */
  readonly consistencyWaitMs: number;
  /** Longest wait of the migrations for a primary. */
  readonly migrationWaitMs: number;
  /** How long the answer to an idempotency key is kept. */
  readonly idempotencyMs: number;
  /** Age from which no cached value is served. */
  readonly cacheTtlMs: number;
  /** Feature flags, by name. */
  readonly flags: Readonly<Record<string, boolean>>;
}

export interface MysqlSettings {
  readonly primary: Address;
  readonly replicas: Address;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Certificate of the authority, PEM. */
  readonly ca: string;
  /** Most connections to each of both addresses. */
  readonly poolSize: number;
}

export interface RedisSettings {
  readonly sentinels: readonly Address[];
  readonly master: string;
  readonly user: string;
  readonly password: string;
  readonly ca: string;
}

/**
 * Reads the settings from environment variables and secret files; an empty variable counts as
 * absent. Throws one Error that lists every mistake.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ""),
  );
  const problems = new Set<string>();
  const { success, data, error } = environment.safeParse(given);
  for (const issue of error?.issues ?? []) {
    const name = String(issue.path[0]);
    const found = given[name] === undefined ? "nothing" : JSON.stringify(given[name]);
    problems.add(`${name}: found ${found}, allowed: ${issue.message}`);
  }

  const folder = given.SECRETS_DIR ?? "/run/secrets";
  const secret = (name: string) => {
    const file = join(folder, name);
    try {
      return readFileSync(file, "utf8").replace(/\r?\n$/, "");
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
      problems.add(`${file}: cannot be read (${code})`);
      return "";
    }
  };
  const ca = secret("ca.pem");
  const mysqlPassword = secret("mysql-password");
  const redisPassword = given.REDIS_SENTINELS ? secret("redis-password") : "";

  if (!success || problems.size > 0) {
    throw new Error(
      `the environment of the property application is wrong:\n  ${[...problems].join("\n  ")}`,
    );
  }
  return {
    host: data.HOST,
    port: data.PORT,
    tls:
      given.TLS_PORT === undefined || data.TLS_PORT === undefined
        ? undefined
        : { port: data.TLS_PORT, certificate: data.TLS_CERTIFICATE, key: data.TLS_KEY },
    node: data.NODE_NAME,
    greeting: data.GREETING,
    logLevel: data.LOG_LEVEL,
    drainMs: data.DRAIN_SECONDS * 1000,
    finishMs: data.FINISH_SECONDS * 1000,
    mysql: {
      primary: data.MYSQL_PRIMARY,
      replicas: data.MYSQL_REPLICAS,
      database: data.MYSQL_DATABASE,
      user: data.MYSQL_USER,
      password: mysqlPassword,
      ca,
      poolSize: data.POOL_SIZE,
    },
    redis: data.REDIS_SENTINELS && {
      sentinels: data.REDIS_SENTINELS,
      master: data.REDIS_MASTER,
      user: data.REDIS_USER,
      password: redisPassword,
      ca,
    },
    readWaitMs: data.READ_WAIT_SECONDS * 1000,
    writeWaitMs: data.WRITE_WAIT_SECONDS * 1000,
    consistencyWaitMs: data.CONSISTENCY_WAIT_SECONDS * 1000,
    migrationWaitMs: data.MIGRATION_WAIT_SECONDS * 1000,
    idempotencyMs: data.IDEMPOTENCY_HOURS * 3_600_000,
    cacheTtlMs: data.CACHE_TTL_SECONDS * 1000,
    flags: { cache: data.FLAG_CACHE === "on" },
  };
}
