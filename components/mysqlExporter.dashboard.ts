import { perSecond, rateRange, yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What a server says of itself in `SHOW GLOBAL STATUS`, by its name there. */
const status = (name: string) => `mysql_global_status_${name}`;

const pages = status("buffer_pool_pages");

/** What people see of the database servers. */
export const mysqlExporterDashboard: DashboardDeclaration<object> = {
  title: "MySQL server",
  panels: () => [
    {
      title: "Read by its exporter",
      tells: "Whether the exporter gets in: a server that is closed or gone tells nothing.",
      kind: "states",
      unit: "short",
      names: yesOrNo("read", "not read"),
      queries: [{ expr: "max by (node) (mysql_up)", legend: "{{node}}" }],
    },
    {
      title: "Statements",
      tells: "Statements that clients send in a second, of those that read and write rows.",
      unit: "ops",
      min: 0,
      queries: [
        {
          expr: perSecond(
            `${status("commands_total")}{command=~"select|insert|update|delete|commit|rollback"}`,
            "command",
          ),
          legend: "{{command}}",
        },
      ],
    },
    {
      title: "Slow statements",
      tells: "Statements a second that took longer than ten seconds.",
      unit: "ops",
      min: 0,
      queries: [{ expr: perSecond(status("slow_queries"), "node"), legend: "{{node}}" }],
    },
    {
      title: "Threads",
      tells: "One for each session, those that work now, and those kept for the next session.",
      unit: "short",
      min: 0,
      queries: ["connected", "running", "cached"].map((state) => ({
        expr: `max by (node) (${status(`threads_${state}`)})`,
        legend: `{{node}} ${state}`,
      })),
    },
    {
      title: "Sessions that were refused",
      tells: "Sessions that broke off before they began, or that found no free place.",
      unit: "ops",
      min: 0,
      queries: [
        { expr: perSecond(status("aborted_connects"), "node"), legend: "{{node}} broken off" },
        {
          expr: perSecond(`${status("connection_errors_total")}{error="max_connections"}`, "node"),
          legend: "{{node}} no place",
        },
      ],
    },
    {
      title: "Buffer pool in use",
      tells: "Share of the memory for tables and indexes that holds some. A full one is no fault.",
      unit: "percentunit",
      min: 0,
      max: 1,
      queries: [
        {
          expr: `1 - max by (node) (${pages}{state="free"}) / sum by (node) (${pages}{state=~"data|free|misc"})`,
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Reads that need the disk",
      tells:
        "Share of the pages that the buffer pool did not have. Above a few percent it is too small.",
      unit: "percentunit",
      min: 0,
      queries: [
        {
          expr: `${perSecond(status("innodb_buffer_pool_reads"), "node")} / clamp_min(${perSecond(status("innodb_buffer_pool_read_requests"), "node")}, 1)`,
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Waits for rows",
      tells: "Times a second that a transaction waited for a row that another one held.",
      unit: "ops",
      min: 0,
      queries: [{ expr: perSecond(status("innodb_row_lock_waits"), "node"), legend: "{{node}}" }],
    },
    {
      title: "Replication within the group",
      tells: "Transactions of other members that each one applied in a second.",
      unit: "ops",
      min: 0,
      queries: [
        {
          expr: perSecond("mysql_perf_schema_transactions_remote_applied_total", "node"),
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Conflicts within the group",
      tells: "Transactions that the group refused as another member had changed the same rows.",
      unit: "ops",
      min: 0,
      queries: [
        {
          expr: `max by (node) (rate(mysql_perf_schema_conflicts_detected_total[${rateRange}]))`,
          legend: "{{node}}",
        },
      ],
    },
  ],
};
