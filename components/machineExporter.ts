import * as pulumi from "@pulumi/pulumi";
import { metricsFolder } from "../model/deployMarkers";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import { metricsOverTls, webConfigArguments, webConfigFiles } from "./metricsServer";
import type { Node } from "./node";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { exporterNode, gatesOf, type ExporterNodeArgs } from "./roll";

export interface MachineExporterArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
}

/** What is followed; each of the others would cost and tell nothing that anybody looks at. */
const collectors = [
  ...["conntrack", "cpu", "diskstats", "filefd", "filesystem", "loadavg", "meminfo", "netdev"],
  ...["netstat", "pressure", "sockstat", "stat", "textfile", "time", "uname", "vmstat"],
];

/**
 * Folders whose file systems are not the machine's own disks. Said here because Debian's node
 * exporter leaves out more: below /mnt and /media, where data disks usually are, too.
 */
const notDisks = "^/(dev|proc|run|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";

/** The node exporter on every machine. */
export class MachineExporter extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:MachineExporter";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: MachineExporterArgs, opts?: pulumi.ComponentResourceOptions) {
    super(MachineExporter.type, name, {}, opts);
    const { nodes } = args.plan.tiers.machineExporter;
    const image =
      nodes.length > 0
        ? new RoleImage(
            `${name}-image`,
            {
              role: "machine-exporter",
              context: "images/machine-exporter",
              registry: args.registry,
            },
            { parent: this },
          ).reference
        : "";
    const settings = args.plan.settings.machineExporter;
    this.nodes = nodes.map((planned) =>
      exporterNode(this, {
        planned,
        machines: args.machines,
        tier: args.plan.tiers.machineExporter.name,
        workload: workload(planned, image, args),
        settings,
        after: [],
      }),
    );
    this.gates = gatesOf(this.nodes);
    this.registerOutputs({});
  }
}

function workload(
  planned: PlannedNode,
  image: pulumi.Input<string>,
  { plan, pki }: MachineExporterArgs,
): ExporterNodeArgs["workload"] {
  return {
    image,
    command: [
      `--web.listen-address=${planned.machine.address}:${plan.settings.machineExporter.port}`,
      ...webConfigArguments(plan),
      "--path.procfs=/machine/proc",
      "--path.sysfs=/machine/sys",
      "--path.rootfs=/machine/root",
      "--collector.disable-defaults",
      ...collectors.map((collector) => `--collector.${collector}`),
      `--collector.filesystem.mount-points-exclude=${notDisks}`,
      "--collector.textfile.directory=/machine/metrics",
      "--web.disable-exporter-metrics",
      "--log.format=json",
    ],
    files: {
      ...webConfigFiles(plan),
      ...(metricsOverTls(plan) && tlsFiles(pki, pki.node(planned, { names: [], addresses: [] }))),
    },
    machineFolders: {
      "/": "/machine/root",
      "/proc": "/machine/proc",
      "/sys": "/machine/sys",
      [metricsFolder]: "/machine/metrics",
    },
  };
}
