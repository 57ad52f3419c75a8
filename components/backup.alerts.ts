import { Cron } from "croner";
import { byNode } from "../model/alertExpressions";
import type { Alert } from "../model/alerts";

/** The longest time between two runs of a cron schedule, in seconds. */
export function longestPauseSeconds(schedule: string): number {
  // A leap year, so that every schedule shows what it has; never the present, so that a plan is.
  const from = new Date("2024-01-01T00:00:00Z");
  const runs = new Cron(schedule, { paused: true, timezone: "UTC" }).nextRuns(400, from);
  const pauses = runs.slice(1).map((run, at) => run.getTime() - (runs[at]?.getTime() ?? 0));
  return pauses.length > 0 ? Math.max(...pauses) / 1000 : 366 * 86_400;
}

/** Alerts of the backups. `schedule`: when full ones are taken, as cron writes it. */
export function backupAlerts({ schedule }: { readonly schedule: string }): readonly Alert[] {
  /** Seconds that the store may be behind: thrice what is promised. */
  const maxBehind = 180;
  const lastFull = "holdfast_backup_last_full_timestamp_seconds";
  return [
    {
      name: "BackupTooOld",
      scope: "risk",
      severity: "ticket",
      holdSeconds: 30,
      summary: "The backups are older than promised: a restore now would lose more",
      expr: (clock) =>
        [
          // One and a half rounds: a full backup takes its time.
          `time() - max by (${byNode}) (${lastFull}) > ${clock.windowSeconds(1.5 * longestPauseSeconds(schedule))}`,
          `max by (${byNode}) (holdfast_backup_behind_seconds) > ${maxBehind}`,
          `max by (${byNode}) (holdfast_backup_failing == 1 unless on (node) ${lastFull})`,
        ].join("\nor\n"),
    },
  ];
}
