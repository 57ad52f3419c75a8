import { byNode, none, silentOr } from "../model/alertExpressions";
import type { Alert } from "../model/alerts";

/** Alerts of the database group. `maxApplyQueue`: from here on a replica gets no more reads. */
export function mysqlAlerts(settings: {
  readonly count: number;
  readonly maxApplyQueue: number;
}): readonly Alert[] {
  const job = "mysql-agent";
  const group: readonly Alert[] = [
    {
      name: "MysqlMemberMissing",
      scope: "node",
      severity: "page",
      holdSeconds: 30,
      summary:
        "{{ $labels.node }} is not a member of the database group: fewer may fail than promised",
      expr: () =>
        silentOr(
          job,
          'holdfast_mysql_member_state{state="ONLINE"} == 0 or holdfast_mysql_quorum == 0',
        ),
    },
    {
      name: "MysqlMemberExpelled",
      scope: "target",
      severity: "ticket",
      holdSeconds: 0,
      summary:
        "The database group went on without {{ $labels.node }}, which has come back by itself",
      // One that stayed away long enough has been told of already.
      expr: (clock) =>
        `max by (${byNode}) (increase(holdfast_mysql_expulsions_total[${clock.window(600, 120)}])) > 0 unless on (node) max_over_time(ALERTS{alertname="MysqlMemberMissing",alertstate="firing"}[${clock.window(900, 180)}])`,
    },
    {
      name: "MysqlReplicationLagging",
      scope: "node",
      severity: "ticket",
      holdSeconds: 30,
      summary:
        "{{ $labels.node }} is {{ $value }} transactions behind the group and serves no more reads",
      expr: () => `max by (${byNode}) (holdfast_mysql_apply_queue) > ${settings.maxApplyQueue}`,
    },
  ];
  return [
    {
      name: "MysqlNoPrimary",
      scope: "tier",
      severity: "page",
      // A fail-over takes eight seconds.
      holdSeconds: 15,
      summary: "No database member takes writes",
      expr: () => none('holdfast_mysql_serving{endpoint="primary"} == 1', job),
    },
    ...(settings.count > 1 ? group : []),
  ];
}
