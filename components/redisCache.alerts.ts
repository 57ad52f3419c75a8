import { none } from "../model/alertExpressions";
import type { Alert } from "../model/alerts";

/** Alerts of the cache. */
export function redisAlerts(): readonly Alert[] {
  return [
    {
      name: "RedisNoMaster",
      scope: "tier",
      severity: "page",
      holdSeconds: 15,
      summary: "The cache has no master: the application works without it, slower",
      expr: () =>
        none(
          "holdfast_redis_master == 1 unless on (node) holdfast_redis_fenced == 1",
          "redis-agent",
        ),
    },
  ];
}
