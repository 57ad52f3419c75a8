import { perSecond, yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** Sentinel tells some of it too. */
const redis = (name: string) => `${name}{job="exporter-redis-redis"}`;

/** What people see of Redis and Sentinel as they tell it themselves. */
export const redisExporterDashboard: DashboardDeclaration<object> = {
  title: "Redis and Sentinel",
  panels: () => [
    {
      title: "Read by its exporter",
      tells: "Whether the exporter gets in, at Redis and at Sentinel.",
      kind: "states",
      unit: "short",
      names: yesOrNo("read", "not read"),
      queries: [{ expr: "max by (node, job) (redis_up)", legend: "{{node}} {{job}}" }],
    },
    {
      title: "Connected clients",
      tells: "Connections that each Redis holds, those of the members and of the exporter too.",
      unit: "short",
      min: 0,
      queries: [
        { expr: `max by (node) (${redis("redis_connected_clients")})`, legend: "{{node}}" },
      ],
    },
    {
      title: "Memory of Redis",
      tells:
        "In use for data and buffers, given by the machine, and from where on keys are evicted.",
      unit: "bytes",
      min: 0,
      queries: [
        { expr: "max by (node) (redis_memory_used_bytes)", legend: "{{node}} in use" },
        { expr: "max by (node) (redis_memory_used_rss_bytes)", legend: "{{node}} given" },
        { expr: "max(redis_memory_max_bytes)", legend: "limit" },
      ],
    },
    {
      title: "Hits of each node",
      tells: "Share of the reads that found their key. A replica that nobody reads has none.",
      unit: "percentunit",
      min: 0,
      max: 1,
      queries: [
        {
          expr: `${perSecond(redis("redis_keyspace_hits_total"), "node")} / (${perSecond(redis("redis_keyspace_hits_total"), "node")} + ${perSecond(redis("redis_keyspace_misses_total"), "node")} > 0)`,
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Keys that went",
      tells: "Evicted because memory was full, or expired because their time was over.",
      unit: "ops",
      min: 0,
      queries: [
        { expr: perSecond(redis("redis_evicted_keys_total"), "node"), legend: "{{node}} evicted" },
        { expr: perSecond(redis("redis_expired_keys_total"), "node"), legend: "{{node}} expired" },
      ],
    },
    {
      title: "Commands by name",
      tells: "The ten commands that come most often.",
      unit: "ops",
      min: 0,
      queries: [
        { expr: `topk(10, ${perSecond("redis_commands_total", "cmd")})`, legend: "{{cmd}}" },
      ],
    },
    {
      title: "Time of commands",
      tells: "Share of its time that each Redis spends on commands. Near 1 everybody waits.",
      unit: "percentunit",
      min: 0,
      alarm: { above: 0.8 },
      queries: [
        { expr: perSecond("redis_commands_duration_seconds_total", "node"), legend: "{{node}}" },
      ],
    },
    {
      title: "Network",
      tells: "Bytes to and from clients, replicas and members.",
      unit: "Bps",
      min: 0,
      queries: [
        { expr: perSecond(redis("redis_net_output_bytes_total"), "node"), legend: "{{node}} sent" },
        {
          expr: perSecond(redis("redis_net_input_bytes_total"), "node"),
          legend: "{{node}} received",
        },
      ],
    },
    {
      title: "Master in the eyes of the Sentinels",
      tells: "Whether each Sentinel takes the master that it knows for well.",
      kind: "states",
      unit: "short",
      names: yesOrNo("well", "not well"),
      queries: [
        {
          expr: 'max by (node, master_address) (redis_sentinel_master_status{master_status="ok"})',
          legend: "{{master_address}} by {{node}}",
        },
      ],
    },
    {
      title: "Sentinels and replicas that are well",
      tells: "As each Sentinel counts them. A fail-over takes a majority, and a replica.",
      unit: "short",
      min: 0,
      queries: [
        {
          expr: "min by (node) (redis_sentinel_master_ok_sentinels)",
          legend: "Sentinels by {{node}}",
        },
        {
          expr: "min by (node) (redis_sentinel_master_ok_slaves)",
          legend: "replicas by {{node}}",
        },
      ],
    },
  ],
};
