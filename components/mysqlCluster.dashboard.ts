import { perSecond, rateRange, roleOrNot, yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the database. `maxApplyQueue`: from here on a replica gets no more reads. */
export const mysqlDashboard: DashboardDeclaration<{ readonly maxApplyQueue: number }> = {
  title: "MySQL",
  panels: ({ maxApplyQueue }) => [
    {
      title: "MySQL primary",
      tells: "Which member takes writes. A fail-over takes some eight seconds.",
      kind: "states",
      unit: "short",
      names: roleOrNot("primary", "replica"),
      overview: "leads",
      queries: [
        {
          expr: 'max by (node) (holdfast_mysql_serving{endpoint="primary"})',
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Members of the group",
      tells: "Whether each member is ONLINE in a group that has its majority.",
      kind: "states",
      unit: "short",
      names: yesOrNo("member", "missing"),
      queries: [
        {
          expr: 'max by (node) (holdfast_mysql_member_state{state="ONLINE"}) * max by (node) (holdfast_mysql_quorum)',
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Transactions",
      tells: "Transactions that members have made their own in a second.",
      unit: "ops",
      min: 0,
      queries: [
        {
          expr: `sum by (node) (rate(holdfast_mysql_transactions{set="executed"}[${rateRange}]))`,
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Waiting to be applied",
      tells: `Transactions that a member has received and not applied. From ${maxApplyQueue} on it serves no reads.`,
      unit: "short",
      min: 0,
      alarm: { above: maxApplyQueue },
      queries: [{ expr: "max by (node) (holdfast_mysql_apply_queue)", legend: "{{node}}" }],
    },
    {
      title: "MySQL sessions at work",
      tells: "More than the machine has processors means that they wait for each other.",
      unit: "short",
      min: 0,
      overview: "saturation",
      queries: [{ expr: "max by (node) (holdfast_mysql_threads_running)", legend: "{{node}}" }],
    },
    {
      title: "Sessions",
      tells: "Connections of the applications' pools and of the agents.",
      unit: "short",
      min: 0,
      queries: [{ expr: "max by (node) (holdfast_mysql_threads_connected)", legend: "{{node}}" }],
    },
    {
      title: "Fail-overs and expulsions",
      tells: "Times that a member became the primary, or that the group went on without it.",
      unit: "ops",
      min: 0,
      queries: [
        {
          expr: perSecond("holdfast_mysql_promotions_total", "node"),
          legend: "{{node}} promoted",
        },
        {
          expr: perSecond("holdfast_mysql_expulsions_total", "node"),
          legend: "{{node}} expelled",
        },
      ],
    },
    {
      title: "Accounts",
      tells: "Whether a rotation of passwords has arrived.",
      kind: "states",
      unit: "short",
      names: yesOrNo("as configured", "not yet"),
      queries: [{ expr: "min by (node) (holdfast_mysql_accounts_in_force)", legend: "{{node}}" }],
    },
  ],
};
