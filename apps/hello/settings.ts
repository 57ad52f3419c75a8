import { hostname } from "node:os";
import type { TlsSettings } from "../tls";

/** What the application is told by its environment. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** With what it serves over TLS, too; absent where it does not. */
  readonly tls: TlsSettings | undefined;
  /** The message of `/`. */
  readonly greeting: string;
  /** Name of this node in answers and logs. */
  readonly node: string;
  /** Time in ms in which a stopping node still serves, so that load balancers notice first. */
  readonly drainMs: number;
  /** Longest wait in ms for requests in flight once the listener is closed. */
  readonly finishMs: number;
  readonly logLevel: (typeof logLevels)[number];
}

const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/**
 * Reads the settings from environment variables; an empty variable counts as absent. Throws one
 * Error that lists every mistake.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const problems: string[] = [];

  const number = (name: string, fallback: number, min: number, max: number, whole = false) => {
    const text = env[name] || String(fallback);
    const value = Number(text);
    if (text.trim() === "" || !(value >= min && value <= max) || (whole && value % 1 !== 0)) {
      const kind = whole ? "a whole number" : "a number";
      problems.push(`${name}: found ${JSON.stringify(text)}, allowed: ${kind}, ${min} to ${max}`);
    }
    return value;
  };

  const level = env.LOG_LEVEL || "info";
  const logLevel = logLevels.find((known) => known === level);
  if (!logLevel) {
    problems.push(
      `LOG_LEVEL: found ${JSON.stringify(level)}, allowed: one of ${logLevels.join(", ")}`,
    );
  }

  const settings: Settings = {
    host: env.HOST || "0.0.0.0",
    port: number("PORT", 8080, 0, 65535, true),
    tls: env.TLS_PORT
      ? {
          port: number("TLS_PORT", 0, 0, 65535, true),
          certificate: env.TLS_CERTIFICATE || "/run/secrets/tls.pem",
          key: env.TLS_KEY || "/run/secrets/tls.key",
        }
      : undefined,
    greeting: env.GREETING || "Hello, world!",
    node: env.NODE_NAME || hostname(),
    drainMs: number("DRAIN_SECONDS", 2.5, 0, 60) * 1000,
    finishMs: number("FINISH_SECONDS", 20, 0, 300) * 1000,
    logLevel: logLevel ?? "info",
  };
  if (problems.length > 0) {
    throw new Error(
      `the environment of the hello application is wrong:\n  ${problems.join("\n  ")}`,
    );
  }
  return settings;
}
