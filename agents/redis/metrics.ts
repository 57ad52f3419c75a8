import { Counter, Gauge, Registry } from "prom-client";
import { parseInfo } from "./replies";

/** What the agent knows when its metrics are asked for. */
export interface Measured {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly fenced: boolean;
  /** 1 where the own Redis is a master, 0 where it is a replica, undefined where it is silent. */
  readonly master: number | undefined;
  readonly linkUp: boolean;
  readonly sentinelUp: boolean;
  /** Sentinels that answer, of all members'. */
  readonly sentinels: number;
  /** Index of the password that is presented to peers: 1 is the previous one. */
  readonly passwordIndex: number;
  /** Answer of the own Redis to INFO; empty where it is silent. */
  readonly info: string;
}

/** Metric, field of INFO, what it is. */
const fields: readonly (readonly [string, string, string])[] = [
  ["uptime_seconds", "uptime_in_seconds", "Seconds since Redis was started."],
  ["clients", "connected_clients", "Connections of clients."],
  ["memory_bytes", "used_memory", "Memory in use."],
  ["memory_limit_bytes", "maxmemory", "Memory from which keys are evicted."],
  ["replicas", "connected_slaves", "Replicas that follow this Redis."],
  ["replication_offset_bytes", "master_repl_offset", "Position in the stream of writes."],
];

const totals: readonly (readonly [string, string, string])[] = [
  ["commands_total", "total_commands_processed", "Commands processed."],
  ["hits_total", "keyspace_hits", "Reads that found their key."],
  ["misses_total", "keyspace_misses", "Reads that did not."],
  ["evicted_keys_total", "evicted_keys", "Keys that went because memory was full."],
  ["expired_keys_total", "expired_keys", "Keys that went because their time was over."],
  ["full_syncs_total", "sync_full", "Times that a replica was given all data anew."],
];

/** Metrics of a Redis node. What Redis counts itself is read when they are asked for. */
export class Metrics {
  private readonly registry = new Registry();
  readonly restarts = this.counter("restarts_total", "Unasked ends, by program.", ["program"]);
  readonly roleChanges = this.counter(
    "role_changes_total",
    "Roles that the agent brought in line with the Sentinels.",
    ["change"],
  );
  private readonly state: Readonly<Record<string, Gauge>> = {
    up: this.gauge("up", "Redis answers."),
    ready: this.gauge("ready", "The node is in service."),
    draining: this.gauge("draining", "The node is about to stop."),
    fenced: this.gauge("fenced", "Clients are kept away, for want of a majority."),
    master: this.gauge("master", "Redis is a master."),
    linkUp: this.gauge("link_up", "Redis is a replica with all data of its master."),
    sentinelUp: this.gauge("sentinel_up", "The node's Sentinel answers."),
    sentinels: this.gauge("sentinels", "Sentinels that answer to this node."),
    previousPassword: this.gauge(
      "previous_password",
      "The previous password is in use between members.",
    ),
  };
  private readonly gauges = fields.map(
    ([name, field, help]) => [field, this.gauge(name, help)] as const,
  );
  private readonly counters = totals.map(
    ([name, field, help]) => [field, this.counter(name, help)] as const,
  );

  get contentType(): string {
    return this.registry.contentType;
  }

  /** All metrics as text. */
  text(seen: Measured): Promise<string> {
    const flag = (name: string, value: boolean) => this.state[name]?.set(value ? 1 : 0);
    flag("up", seen.master !== undefined);
    flag("ready", seen.ready);
    flag("draining", seen.draining);
    flag("fenced", seen.fenced);
    flag("master", seen.master === 1);
    flag("linkUp", seen.linkUp);
    flag("sentinelUp", seen.sentinelUp);
    flag("previousPassword", seen.passwordIndex > 0);
    this.state["sentinels"]?.set(seen.sentinels);
    const info = parseInfo(seen.info);
    for (const [field, gauge] of this.gauges) {
      const value = info.get(field);
      if (value === undefined) gauge.remove();
      else gauge.set(Number(value));
    }
    for (const [field, counter] of this.counters) {
      const value = info.get(field);
      counter.reset();
      if (value === undefined) counter.remove();
      else counter.inc(Number(value));
    }
    return this.registry.metrics();
  }

  private gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `holdfast_redis_${name}`, help, registers: [this.registry] });
  }

  private counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({
      name: `holdfast_redis_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
    });
  }
}
