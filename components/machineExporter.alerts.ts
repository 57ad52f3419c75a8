import type { Alert } from "../model/alerts";

/** File systems that hold something: not those in memory, nor a container's view of another one. */
const disks = 'job="machine-node",fstype!~"tmpfs|ramfs|overlay|squashfs|nsfs|iso9660"';
const fullInSeconds = 4 * 3600;

/** Alerts of the machines. */
export function machineAlerts(): readonly Alert[] {
  const free = `node_filesystem_avail_bytes{${disks}}`;
  const share = `${free} / node_filesystem_size_bytes{${disks}}`;
  return [
    {
      name: "DiskFilling",
      scope: "risk",
      severity: "page",
      serviceClass: "critical",
      holdSeconds: 30,
      summary:
        "{{ $labels.device }} on {{ $labels.machine }} is nearly full, or will be within four hours",
      expr: (clock) => {
        const window = clock.window(3600, 60);
        // A line through a few minutes of a first deploy says nothing about the next four hours.
        const trend = `predict_linear(${free}[${window}], ${clock.windowSeconds(fullInSeconds, 60)}) < 0 and ${free} offset ${window}`;
        return `max by (machine, device) (${share} < 0.1 or ${share} < 0.25 and ${trend})`;
      },
    },
    {
      name: "ClockOffset",
      scope: "risk",
      severity: "ticket",
      serviceClass: "important",
      holdSeconds: 60,
      summary: "The clock of {{ $labels.machine }} is more than half a second off the monitor's",
      expr: () =>
        'max by (machine) (abs(node_time_seconds{job="machine-node"} - timestamp(node_time_seconds{job="machine-node"}))) > 0.5',
    },
    {
      name: "ConntrackNearlyFull",
      scope: "risk",
      severity: "page",
      serviceClass: "critical",
      holdSeconds: 30,
      summary:
        "{{ $labels.machine }} tracks more than 80 % of the connections it can; then it drops new ones",
      expr: () =>
        "max by (machine) (node_nf_conntrack_entries / node_nf_conntrack_entries_limit) > 0.8",
    },
  ];
}
