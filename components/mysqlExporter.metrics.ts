import type { FollowedMetric } from "../model/metrics";

const job = "exporter-mysql-server";

/** Metrics of the tier that are worth following. */
export const mysqlExporterMetrics: readonly FollowedMetric[] = [
  {
    job,
    name: "mysql_up",
    what: "1 where the exporter got in.",
    why: "Whether the other figures of the server are there.",
  },
  {
    job,
    name: "mysql_global_status_commands_total",
    what: "Statements by what they do.",
    why: "What the database is used for.",
  },
  {
    job,
    name: "mysql_global_status_slow_queries",
    what: "Statements that took longer than ten seconds.",
    why: "Whether an index is missing.",
  },
  {
    job,
    name: "mysql_global_status_threads_connected",
    what: "Sessions.",
    why: "How many of the places are taken.",
  },
  {
    job,
    name: "mysql_global_status_threads_running",
    what: "Sessions at work.",
    why: "How busy the server is.",
  },
  {
    job,
    name: "mysql_global_status_threads_cached",
    what: "Threads kept for sessions to come.",
    why: "Whether sessions come and go too fast.",
  },
  {
    job,
    name: "mysql_global_status_aborted_connects",
    what: "Sessions that broke off before they began.",
    why: "A wrong password, or a network that loses something.",
  },
  {
    job,
    name: "mysql_global_status_connection_errors_total",
    what: "Connections that the server refused, by reason.",
    why: "Whether there are too few places.",
  },
  {
    job,
    name: "mysql_global_status_buffer_pool_pages",
    what: "Pages of the buffer pool, by what they hold.",
    why: "How much of the memory is in use.",
  },
  {
    job,
    name: "mysql_global_status_innodb_buffer_pool_reads",
    what: "Pages that had to come from the disk.",
    why: "Whether the buffer pool is too small.",
  },
  {
    job,
    name: "mysql_global_status_innodb_buffer_pool_read_requests",
    what: "Pages that were asked for.",
    why: "What the reads from the disk are a share of.",
  },
  {
    job,
    name: "mysql_global_status_innodb_row_lock_waits",
    what: "Times that a transaction waited for a row.",
    why: "Whether transactions stand in each other's way.",
  },
  {
    job,
    name: "mysql_perf_schema_transactions_remote_applied_total",
    what: "Transactions of other members that were applied.",
    why: "Whether a replica keeps up.",
  },
  {
    job,
    name: "mysql_perf_schema_conflicts_detected_total",
    what: "Transactions that the group refused.",
    why: "Whether two members were written at once.",
  },
];
