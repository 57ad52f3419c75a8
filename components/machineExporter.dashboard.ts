import { busyProcessor, perSecond, usedMemory } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** All jobs that tell of a machine; there is one. */
const every = 'job="machine-node"';
const disks = `${every},fstype!~"tmpfs|ramfs|overlay|squashfs|nsfs|iso9660"`;

/** What people see of the machines. */
export const machineDashboard: DashboardDeclaration<object> = {
  title: "Machines",
  panels: () => [
    {
      title: "Processor in use",
      tells: "Share of the processor time of each machine.",
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.9 },
      queries: [{ expr: busyProcessor(every), legend: "{{machine}}" }],
    },
    {
      title: "Memory in use",
      tells: "Share that cannot be freed. Where it ends a process is killed.",
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.95 },
      queries: [{ expr: usedMemory(every), legend: "{{machine}}" }],
    },
    {
      title: "Disks in use",
      tells: "Share of each disk. A full one stops a database.",
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.9 },
      queries: [
        {
          expr: `1 - min by (machine, device) (node_filesystem_avail_bytes{${disks}} / node_filesystem_size_bytes{${disks}})`,
          legend: "{{machine}} {{device}}",
        },
      ],
    },
    {
      title: "Disks at work",
      tells: "Share of the time in which a disk was busy: a slow database may be a slow disk.",
      unit: "percentunit",
      min: 0,
      queries: [
        {
          expr: `topk(10, ${perSecond("node_disk_io_time_seconds_total", "machine, device")})`,
          legend: "{{machine}} {{device}}",
        },
      ],
    },
    {
      title: "Received",
      tells: "Bytes that each machine gets from the network.",
      unit: "Bps",
      min: 0,
      queries: [
        {
          expr: perSecond('node_network_receive_bytes_total{device!="lo"}', "machine"),
          legend: "{{machine}}",
        },
      ],
    },
    {
      title: "Connections tracked",
      tells: "Share of those that the kernel can track; a full table drops new ones.",
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.8 },
      queries: [
        {
          expr: "max by (machine) (node_nf_conntrack_entries / node_nf_conntrack_entries_limit)",
          legend: "{{machine}}",
        },
      ],
    },
    {
      title: "Clocks",
      tells: "How far the clock of each machine is off the monitor's, give or take a scrape.",
      unit: "s",
      queries: [
        {
          expr: `max by (machine) (node_time_seconds{${every}} - timestamp(node_time_seconds{${every}}))`,
          legend: "{{machine}}",
        },
      ],
    },
  ],
};
