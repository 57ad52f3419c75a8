import type { FollowedMetric } from "../model/metrics";

const redis = "exporter-redis-redis";
const sentinel = "exporter-redis-sentinel";

/** Metrics of the tier that are worth following. */
export const redisExporterMetrics: readonly FollowedMetric[] = [
  {
    job: redis,
    name: "redis_up",
    what: "1 where the exporter got in, at Redis and at Sentinel.",
    why: "Whether the other figures are there.",
  },
  {
    job: redis,
    name: "redis_connected_clients",
    what: "Connections of clients.",
    why: "How many connections the applications hold.",
  },
  {
    job: redis,
    name: "redis_memory_used_bytes",
    what: "Memory that Redis has in use.",
    why: "How full the cache is.",
  },
  {
    job: redis,
    name: "redis_memory_used_rss_bytes",
    what: "Memory that the machine gave it.",
    why: "What counts against the limit of the node.",
  },
  {
    job: redis,
    name: "redis_memory_max_bytes",
    what: "Memory from which keys are evicted.",
    why: "What the memory in use is a share of.",
  },
  {
    job: redis,
    name: "redis_keyspace_hits_total",
    what: "Reads that found their key.",
    why: "What each node is good for.",
  },
  {
    job: redis,
    name: "redis_keyspace_misses_total",
    what: "Reads that did not find their key.",
    why: "What the hits are a share of.",
  },
  {
    job: redis,
    name: "redis_evicted_keys_total",
    what: "Keys that went because memory was full.",
    why: "Whether the cache is too small.",
  },
  {
    job: redis,
    name: "redis_expired_keys_total",
    what: "Keys that went because their time was over.",
    why: "Whether what is cached lives too short to be found.",
  },
  {
    job: redis,
    name: "redis_commands_total",
    what: "Commands by name.",
    why: "What the cache is used for.",
  },
  {
    job: redis,
    name: "redis_commands_duration_seconds_total",
    what: "Time spent on commands, by name.",
    why: "Which command makes the others wait.",
  },
  {
    job: redis,
    name: "redis_net_output_bytes_total",
    what: "Bytes sent to clients and replicas.",
    why: "How much of the network the cache needs.",
  },
  {
    job: redis,
    name: "redis_net_input_bytes_total",
    what: "Bytes received.",
    why: "How much is written to the cache.",
  },
  {
    job: sentinel,
    name: "redis_sentinel_master_status",
    what: "State of the master as each Sentinel sees it.",
    why: "Whether the Sentinels agree that there is a master.",
  },
  {
    job: sentinel,
    name: "redis_sentinel_master_ok_sentinels",
    what: "Sentinels that each one takes for well.",
    why: "Whether a fail-over would find a majority.",
  },
  {
    job: sentinel,
    name: "redis_sentinel_master_ok_slaves",
    what: "Replicas that each Sentinel takes for well.",
    why: "Whether a fail-over would find a new master.",
  },
];
