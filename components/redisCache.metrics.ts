import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const redisMetrics: readonly FollowedMetric[] = [
  {
    job: "redis-agent",
    name: "holdfast_redis_master",
    what: "1 where the Redis is a master.",
    why: "Whether the cache can be written.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_fenced",
    what: "1 while clients are kept away for want of a majority.",
    why: "A master that is fenced is none.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_sentinels",
    what: "Sentinels that answer to this node.",
    why: "Whether a failover is possible.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_memory_bytes",
    what: "Memory in use.",
    why: "How full the cache is.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_hits_total",
    what: "Reads that found their key.",
    why: "What the cache is good for.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_evicted_keys_total",
    what: "Keys that went because memory was full.",
    why: "Whether the cache is too small.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_memory_limit_bytes",
    what: "Memory from which keys are evicted.",
    why: "What the memory in use is a share of.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_misses_total",
    what: "Reads that did not find their key.",
    why: "What the hits are a share of.",
  },
  {
    job: "redis-agent",
    name: "holdfast_redis_commands_total",
    what: "Commands processed.",
    why: "How much the cache is used.",
  },
];
