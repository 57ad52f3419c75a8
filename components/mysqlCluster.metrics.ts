import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const mysqlMetrics: readonly FollowedMetric[] = [
  {
    job: "mysql-agent",
    name: "holdfast_mysql_serving",
    what: "1 for each endpoint at which the member is in service.",
    why: "Whether there is a primary that takes writes.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_member_state",
    what: "1 for the state of the member in its group.",
    why: "How many members may still fail.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_quorum",
    what: "1 while the member is in a group that has its majority.",
    why: "A group without a majority takes no writes.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_expulsions_total",
    what: "Times that the group went on without the member.",
    why: "A member that is slow or badly connected now and then.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_apply_queue",
    what: "Transactions that wait to be applied.",
    why: "How old the data is that a replica gives.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_promotions_total",
    what: "Times that the member became the primary.",
    why: "How often the database failed over.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_threads_running",
    what: "Sessions at work.",
    why: "How busy the database is.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_accounts_in_force",
    what: "1 while the accounts are as configured.",
    why: "Whether a rotation of passwords has arrived.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_transactions",
    what: "Transactions that the member holds or has received.",
    why: "How much is written.",
  },
  {
    job: "mysql-agent",
    name: "holdfast_mysql_threads_connected",
    what: "Sessions.",
    why: "How many connections the applications hold.",
  },
];
