import { perSecond, roleOrNot } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the cache. */
export const redisDashboard: DashboardDeclaration<object> = {
  title: "Redis",
  panels: () => [
    {
      title: "Redis master",
      tells: "Which node takes writes. One that is fenced, for want of a majority, takes none.",
      kind: "states",
      unit: "short",
      names: roleOrNot("master", "replica"),
      overview: "leads",
      queries: [
        {
          expr: "max by (node) (holdfast_redis_master * (1 - holdfast_redis_fenced))",
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Sentinels that answer",
      tells: "Of all nodes' Sentinels. A fail-over takes a majority.",
      unit: "short",
      min: 0,
      queries: [{ expr: "min by (node) (holdfast_redis_sentinels)", legend: "{{node}}" }],
    },
    {
      title: "Cache memory used",
      tells: "Share of the memory from which keys are evicted. A full cache is no fault.",
      unit: "percentunit",
      min: 0,
      max: 1,
      overview: "saturation",
      queries: [
        {
          expr: "max by (node) (holdfast_redis_memory_bytes / (holdfast_redis_memory_limit_bytes > 0))",
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Hits",
      tells: "Share of the reads that found their key: what the cache is good for.",
      unit: "percentunit",
      min: 0,
      max: 1,
      queries: [
        {
          expr: `${perSecond("holdfast_redis_hits_total", "tier")} / (${perSecond("holdfast_redis_hits_total", "tier")} + ${perSecond("holdfast_redis_misses_total", "tier")} > 0)`,
          legend: "hits",
        },
      ],
    },
    {
      title: "Commands",
      tells: "Commands that each Redis processes in a second.",
      unit: "ops",
      min: 0,
      queries: [{ expr: perSecond("holdfast_redis_commands_total", "node"), legend: "{{node}}" }],
    },
    {
      title: "Evicted keys",
      tells: "Keys that went because memory was full.",
      unit: "ops",
      min: 0,
      queries: [
        { expr: perSecond("holdfast_redis_evicted_keys_total", "node"), legend: "{{node}}" },
      ],
    },
  ],
};
