import { isIP } from "node:net";
import { covers } from "../../model/addresses";
import { defaultRate, helloPaths, timeoutMs, type PathSpec } from "../shared";

/** Kinds of requests sent at a constant arrival rate. */
export const rateKinds = ["http-new", "https-new", "http-kept", "https-kept", "h2"] as const;
/** Kinds of requests sent on connections that idle in between. */
export const idleKinds = ["http-idle", "https-idle", "h2-idle"] as const;
/**
 * `http`: HTTP/1.1 without TLS; `https`: HTTP/1.1 over TLS; `h2`: HTTP/2 over TLS. `new`: a
 * connection for each request; `kept`: connections kept alive; `idle`: idle for seconds in between.
 */
export const kinds = [...rateKinds, ...idleKinds] as const;
export type RateKind = (typeof rateKinds)[number];
export type IdleKind = (typeof idleKinds)[number];
export type Kind = (typeof kinds)[number];

export const limits = { rate: 2000, idleConnections: 500, durationMs: 4 * 3_600_000 } as const;

export interface Idle {
  /** Number of connections. */
  readonly connections: number;
  /** Shortest and longest idle time between two requests of a connection, in ms. */
  readonly minMs: number;
  readonly maxMs: number;
}

export interface LoadOptions {
  /** Origins by scheme, such as `http://10.77.0.5` or `https://127.0.0.1:8443`; IP addresses only. */
  readonly targets: { readonly http?: string; readonly https?: string };
  /** Certificates (PEM) that sign the target's; needed with `https`. */
  readonly ca?: string;
  /** Networks (CIDR, IPv4) that may be loaded, beside loopback. */
  readonly networks?: readonly string[];
  /** Planned requests a second, without those of idle connections. Default 300. */
  readonly rate?: number;
  /** Weights of the kinds; kinds without a target are left out. */
  readonly mix?: Partial<Record<RateKind, number>>;
  /** Default: 50 connections that idle for 1 to 20 s. */
  readonly idle?: Idle | false;
  /** Default: `/ping` and `/` of the hello application. */
  readonly paths?: readonly PathSpec[];
  /** A request slower than this, in ms, has failed. Default 5000. */
  readonly timeoutMs?: number;
  /** The load ends by itself after this time in ms. Default 30 min. */
  readonly maxDurationMs?: number;
  /** Seed of every random choice. Default 1. */
  readonly seed?: number;
  /** Kept-alive connections of each kind. Default 20. */
  readonly keptConnections?: number;
  /** HTTP/2 connections. Default 4. */
  readonly http2Connections?: number;
  /** Requests in flight above which planned ones are not sent. Default: what the rate needs. */
  readonly maxInFlight?: number;
}

/** Where a scheme's connections go. */
export interface Target {
  readonly address: string;
  readonly port: number;
  /** Host header and HTTP/2 authority. */
  readonly authority: string;
  /** Trusted certificates (PEM) where the connection is TLS. */
  readonly tls?: { readonly ca: string | undefined };
}

/** Options with defaults, validated. */
export interface LoadPlan {
  readonly http: Target | undefined;
  readonly https: Target | undefined;
  readonly rate: number;
  readonly mix: readonly (readonly [RateKind, number])[];
  readonly idle: Idle & { readonly kinds: readonly IdleKind[] };
  readonly paths: readonly PathSpec[];
  readonly timeoutMs: number;
  readonly maxDurationMs: number;
  readonly seed: number;
  readonly keptConnections: number;
  readonly http2Connections: number;
  readonly maxInFlight: number;
}

const defaultMix: Readonly<Record<RateKind, number>> = {
  "http-new": 2,
  "https-new": 1,
  "http-kept": 3,
  "https-kept": 1,
  h2: 3,
};

/** Validates options and fills in defaults. Throws one Error that lists every mistake. */
export function planLoad(options: LoadOptions): LoadPlan {
  const problems: string[] = [];
  const networks = ["127.0.0.0/8", ...(options.networks ?? [])];
  const inRange = (key: string, value: number, min: number, max: number) => {
    if (!(value >= min && value <= max)) {
      problems.push(`${key}: found ${value}, allowed: ${min} to ${max}`);
    }
    return value;
  };
  const target = (scheme: "http" | "https") => {
    const text = options.targets[scheme];
    if (text === undefined) return undefined;
    try {
      return parseTarget(text, scheme, networks, options.ca);
    } catch (error) {
      problems.push(`targets.${scheme}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };

  const http = target("http");
  const https = target("https");
  if (options.targets.http === undefined && options.targets.https === undefined) {
    problems.push("targets: found none, allowed: http, https or both");
  }
  const available = (kind: Kind) => (kind.startsWith("http-") ? http : https) !== undefined;
  const mix = Object.entries(options.mix ?? defaultMix) as [RateKind, number][];
  for (const [kind, weight] of mix) {
    if (!rateKinds.includes(kind)) {
      problems.push(`mix: found ${kind}, allowed: ${rateKinds.join(", ")}`);
    }
    if (!(weight >= 0)) problems.push(`mix.${kind}: found ${weight}, allowed: 0 or more`);
  }
  const usableMix = mix.filter(([kind, weight]) => available(kind) && weight > 0);

  const idle = options.idle === false ? noIdle : (options.idle ?? defaultIdle);
  inRange("idle.connections", idle.connections, 0, limits.idleConnections);
  inRange("idle.minMs", idle.minMs, 0, idle.maxMs);
  const rate = inRange("rate", options.rate ?? defaultRate, 0, limits.rate);
  if (rate > 0 && usableMix.length === 0 && problems.length === 0) {
    problems.push(
      `mix: found no kind with a weight above 0 and a target, allowed: ${rateKinds.join(", ")}`,
    );
  }
  const paths = options.paths ?? helloPaths;
  if (!paths.some(({ weight = 1 }) => weight > 0)) {
    problems.push("paths: found none with a weight above 0, allowed: at least one");
  }
  for (const { path } of paths) {
    if (!/^\/[!-~]*$/.test(path)) {
      problems.push(`paths: found ${JSON.stringify(path)}, allowed: a path that starts with /`);
    }
  }
  const patience = inRange("timeoutMs", options.timeoutMs ?? timeoutMs, 1, 600_000);
  const plan: LoadPlan = {
    http,
    https,
    rate,
    mix: usableMix,
    idle: { ...idle, kinds: idleKinds.filter(available) },
    paths,
    timeoutMs: patience,
    maxDurationMs: inRange(
      "maxDurationMs",
      options.maxDurationMs ?? 1_800_000,
      1,
      limits.durationMs,
    ),
    seed: options.seed ?? 1,
    keptConnections: inRange("keptConnections", options.keptConnections ?? 20, 1, 1000),
    http2Connections: inRange("http2Connections", options.http2Connections ?? 4, 1, 100),
    maxInFlight: inRange(
      "maxInFlight",
      // Enough for a server that lets every request run into its timeout.
      options.maxInFlight ?? Math.ceil(rate * (patience / 1000) * 1.2) + 100,
      1,
      20_000,
    ),
  };
  if (problems.length > 0) {
    throw new Error(`the load cannot start:\n  ${problems.join("\n  ")}`);
  }
  return plan;
}

const defaultIdle: Idle = { connections: 50, minMs: 1000, maxMs: 20_000 };
const noIdle: Idle = { connections: 0, minMs: 0, maxMs: 0 };

function parseTarget(
  text: string,
  scheme: "http" | "https",
  networks: readonly string[],
  ca: string | undefined,
): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== `${scheme}:`) {
    throw new Error(
      `found ${JSON.stringify(text)}, allowed: an origin such as ${scheme}://10.77.0.5`,
    );
  }
  // A name could lead anywhere by the time it is resolved.
  if (isIP(url.hostname) !== 4 || !networks.some((network) => covers(network, url.hostname))) {
    throw new Error(
      `found ${url.hostname}, allowed: an IPv4 address in ${networks.join(", ")}; load goes to the stack's own addresses only`,
    );
  }
  return {
    address: url.hostname,
    port: Number(url.port) || (scheme === "https" ? 443 : 80),
    authority: url.host,
    ...(scheme === "https" && { tls: { ca } }),
  };
}
