import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const backupMetrics: readonly FollowedMetric[] = [
  {
    job: "backup-agent",
    name: "holdfast_backup_last_full_timestamp_seconds",
    what: "Time of the last full backup.",
    why: "What a restore starts from.",
  },
  {
    job: "backup-agent",
    name: "holdfast_backup_behind_seconds",
    what: "Seconds of which something may be missing in the store.",
    why: "What a disaster would cost now.",
  },
  {
    job: "backup-agent",
    name: "holdfast_backup_failing",
    what: "1 while something is wrong; the log says what.",
    why: "A first backup that never came has no time.",
  },
  {
    job: "backup-agent",
    name: "holdfast_backup_full_seconds",
    what: "Seconds that the last full backup took.",
    why: "Grows with the data.",
  },
];
