import { yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the backups. */
export const backupDashboard: DashboardDeclaration<object> = {
  title: "Backups",
  panels: () => [
    {
      title: "Backups work",
      tells: "The node's log says what is wrong where they do not.",
      kind: "states",
      unit: "short",
      names: yesOrNo("work", "fail"),
      queries: [{ expr: "min by (node) (1 - holdfast_backup_failing)", legend: "{{node}}" }],
    },
    {
      title: "Last full backup",
      tells: "What a restore starts from.",
      kind: "number",
      unit: "dateTimeFromNow",
      queries: [
        {
          expr: "max(holdfast_backup_last_full_timestamp_seconds) * 1000",
          legend: "last",
        },
      ],
    },
    {
      title: "Behind the database",
      tells: "What a disaster would cost now.",
      unit: "s",
      min: 0,
      alarm: { above: 180 },
      queries: [{ expr: "max by (node) (holdfast_backup_behind_seconds)", legend: "{{node}}" }],
    },
    {
      title: "Time of a full backup",
      tells: "Grows with the data.",
      unit: "s",
      min: 0,
      queries: [{ expr: "max by (node) (holdfast_backup_full_seconds)", legend: "{{node}}" }],
    },
  ],
};
