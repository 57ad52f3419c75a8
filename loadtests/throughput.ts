import { createHash } from "node:crypto";
import { performance } from "node:perf_hooks";
import { isBroken, type Outcome } from "./client/connection";
import { Http1Connection } from "./client/http1";
import { planLoad, type Target } from "./client/options";
import { percentile } from "./client/report";

export interface ThroughputOptions {
  /** Origin; an IP address in one of the networks (CIDR). */
  readonly origin: string;
  readonly networks: readonly string[];
  /** Requested in turn. */
  readonly paths: readonly string[];
  /** Connections, each of which sends its next request when the answer to the last has come. */
  readonly connections: number;
  readonly seconds: number;
}

export interface Throughput {
  readonly perSecond: number;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** CPU cores that this client used. */
  readonly clientCores: number;
  /** Path -> hashes of the bodies that were answered. */
  readonly bodies: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Asks for as much as the stack gives, over kept-alive connections, for a while. */
export async function throughput(options: ThroughputOptions): Promise<Throughput> {
  const { origin, networks, paths, connections, seconds } = options;
  const { http } = planLoad({ targets: { http: origin }, networks });
  if (!http || paths.length === 0) throw new Error("nothing to ask for");
  const latencies: number[] = [];
  const bodies = new Map<string, Set<string>>();
  let failed = 0;
  let next = 0;
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const until = begun + seconds * 1000;

  async function client(target: Target): Promise<void> {
    let connection = new Http1Connection(target);
    while (performance.now() < until) {
      const path = paths[next++ % paths.length] ?? "/";
      const sent = performance.now();
      if (!connection.usable) connection = new Http1Connection(target);
      const outcome = await new Promise<Outcome>((resolve) => {
        connection.send({ path, headers: {} }, resolve);
      });
      latencies.push(performance.now() - sent);
      if (isBroken(outcome) || outcome.status !== 200) {
        failed += 1;
        continue;
      }
      const hash = createHash("sha1").update(outcome.body).digest("base64");
      const known = bodies.get(path);
      if (known) known.add(hash);
      else bodies.set(path, new Set([hash]));
    }
    connection.destroy();
  }

  await Promise.all(Array.from({ length: connections }, () => client(http)));
  const elapsed = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = latencies.sort((a, b) => a - b);
  return {
    perSecond: sorted.length / elapsed,
    requests: sorted.length,
    failed,
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    clientCores: (user + system) / 1e6 / elapsed,
    bodies,
  };
}

/** Paths whose bodies were not the same all the time in both runs, or that only one of them had. */
export function differingBodies(one: Throughput, other: Throughput): string[] {
  const paths = new Set([...one.bodies.keys(), ...other.bodies.keys()]);
  return [...paths].filter((path) => {
    const all = new Set([...(one.bodies.get(path) ?? []), ...(other.bodies.get(path) ?? [])]);
    return all.size !== 1 || !one.bodies.has(path) || !other.bodies.has(path);
  });
}
