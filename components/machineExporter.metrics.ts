import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const machineMetrics: readonly FollowedMetric[] = [
  {
    job: "machine-node",
    name: "node_filesystem_avail_bytes",
    what: "Free space of each file system.",
    why: "A full disk stops a database.",
  },
  {
    job: "machine-node",
    name: "node_filesystem_size_bytes",
    what: "Size of each file system.",
    why: "What the free space is a share of.",
  },
  {
    job: "machine-node",
    name: "node_time_seconds",
    what: "The machine's clock.",
    why: "Certificates, tokens and logs need it right.",
  },
  {
    job: "machine-node",
    name: "node_nf_conntrack_entries",
    what: "Connections that the kernel tracks.",
    why: "A full table drops new connections.",
  },
  {
    job: "machine-node",
    name: "node_nf_conntrack_entries_limit",
    what: "How many it can track.",
    why: "What the number of connections is a share of.",
  },
  {
    job: "machine-node",
    name: "node_cpu_seconds_total",
    what: "Processor time by what it was spent on.",
    why: "How busy a machine is.",
  },
  {
    job: "machine-node",
    name: "node_memory_MemAvailable_bytes",
    what: "Memory that is free or can be freed.",
    why: "How near the machine is to killing a process.",
  },
  {
    job: "machine-node",
    name: "node_disk_io_time_seconds_total",
    what: "Time in which a disk was busy.",
    why: "Whether a slow database is a slow disk.",
  },
  {
    job: "machine-node",
    name: "node_network_receive_bytes_total",
    what: "Bytes received, by interface.",
    why: "How much of the network is in use.",
  },
  {
    job: "machine-node",
    name: "holdfast_deploy_started_timestamp_seconds",
    what: "When the last update or maintenance began.",
    why: "Planned outages are told from others by it.",
  },
  {
    job: "machine-node",
    name: "holdfast_deploy_finished_timestamp_seconds",
    what: "When it ended; absent while it goes on.",
    why: "An update that did not end may have left two versions.",
  },
  {
    job: "machine-node",
    name: "holdfast_deploy_stopped_timestamp_seconds",
    what: "When it stopped half-way; absent where it did not.",
    why: "Whoever ran the update may not be the one who should know.",
  },
  {
    job: "machine-node",
    name: "holdfast_deploy_change_timestamp_seconds",
    what: "When an update last changed nodes: which, by whom, from what.",
    why: "What changed just before it broke?",
  },
  {
    job: "machine-node",
    name: "holdfast_certificate_expiry_timestamp_seconds",
    what: "When the first of the certificates ends that a node has or trusts.",
    why: "Updates renew them long before; no update may have run.",
  },
  {
    job: "machine-node",
    name: "node_memory_MemTotal_bytes",
    what: "Memory of the machine.",
    why: "What the available memory is a share of.",
  },
];
