import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

/** All metrics of the application, in a registry of their own. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const httpLabels = ["method", "route", "status"] as const;
  return {
    registry,
    requests: new Counter({
      name: "http_requests_total",
      help: "Requests answered.",
      labelNames: httpLabels,
      registers,
    }),
    duration: new Histogram({
      name: "http_request_duration_seconds",
      help: "Time from the request's headers to the end of its answer.",
      labelNames: httpLabels,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    inFlight: new Gauge({
      name: "http_requests_in_flight",
      help: "Requests that are being answered.",
      registers,
    }),
    poolConnections: new Gauge({
      name: "property_database_pool_connections",
      help: "Connections to the database, by pool and whether a request uses them.",
      labelNames: ["pool", "state"],
      registers,
    }),
    poolWaiting: new Gauge({
      name: "property_database_pool_waiting",
      help: "Requests that wait for a connection, by pool.",
      labelNames: ["pool"],
      registers,
    }),
    poolConnects: new Counter({
      name: "property_database_connects_total",
      help: "Connections opened, by pool and result.",
      labelNames: ["pool", "result"],
      registers,
    }),
    poolWait: new Histogram({
      name: "property_database_pool_wait_seconds",
      help: "Time until a connection was there, by pool.",
      labelNames: ["pool"],
      buckets: [0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5],
      registers,
    }),
    databaseErrors: new Counter({
      name: "property_database_errors_total",
      help: "Errors of the database that an attempt met, by pool, what they mean, and code.",
      labelNames: ["pool", "fault", "code"],
      registers,
    }),
    retries: new Counter({
      name: "property_database_retries_total",
      help: "Attempts that repeat another, by kind of request.",
      labelNames: ["operation"],
      registers,
    }),
    gaveUp: new Counter({
      name: "property_database_gave_up_total",
      help: "Requests for which no attempt succeeded, by kind and reason.",
      labelNames: ["operation", "reason"],
      registers,
    }),
    reads: new Counter({
      name: "property_database_reads_total",
      help: "Reads that succeeded, by where they were served.",
      labelNames: ["from"],
      registers,
    }),
    consistency: new Counter({
      name: "property_consistency_checks_total",
      help: "Reads that had to show a certain write: seen at once, waited for, or sent to the primary.",
      labelNames: ["result"],
      registers,
    }),
    writeWait: new Histogram({
      name: "property_write_wait_seconds",
      help: "Time that a write took from its first attempt to its end, by result.",
      labelNames: ["result"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
      registers,
    }),
    writesWaiting: new Gauge({
      name: "property_writes_in_progress",
      help: "Writes under way, those that wait for a primary included.",
      registers,
    }),
    breaker: new Gauge({
      name: "property_breaker_state",
      help: "Circuit breakers: 0 closed, 1 open, 2 half open.",
      labelNames: ["breaker"],
      registers,
    }),
    replays: new Counter({
      name: "property_idempotent_replays_total",
      help: "Writes that were found done: their first answer was given again.",
      registers,
    }),
    cacheReads: new Counter({
      name: "property_cache_reads_total",
      help: "Reads by what the cache did for them: hit, miss, or bypass with its reason.",
      labelNames: ["kind", "result"],
      registers,
    }),
    cacheFills: new Counter({
      name: "property_cache_fills_total",
      help: "Values offered to the cache, by whether it took them.",
      labelNames: ["result"],
      registers,
    }),
    cacheInvalidations: new Counter({
      name: "property_cache_invalidations_total",
      help: "Invalidations after a write, by result.",
      labelNames: ["result"],
      registers,
    }),
    cacheReadsOff: new Gauge({
      name: "property_cache_reads_off",
      help: "1 while the cache is not read because an invalidation has not succeeded yet.",
      registers,
    }),
    cacheErrors: new Counter({
      name: "property_cache_errors_total",
      help: "Commands to the cache that failed, by command.",
      labelNames: ["command"],
      registers,
    }),
  };
}
