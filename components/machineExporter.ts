import * as pulumi from "@pulumi/pulumi";
import { metricsFolder } from "../model/deployMarkers";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import { Node, type Workload } from "./node";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf } from "./roll";

export interface MachineExporterArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
}

/** What is followed; each of the others would cost and tell nothing that anybody looks at. */
const collectors = [
  ...["conntrack", "cpu", "diskstats", "filefd", "filesystem", "loadavg", "meminfo", "netdev"],
  ...["netstat", "pressure", "sockstat", "stat", "textfile", "time", "uname", "vmstat"],
];

/**
 * The node exporter on every machine. The nodes know nothing of each other and nobody waits for
 * them: they are not chained, and one machine more touches no other.
 */
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
    this.nodes = nodes.map((planned) => this.node(planned, args, image));
    this.gates = gatesOf(this.nodes);
    this.registerOutputs({});
  }

  private node(
    planned: PlannedNode,
    { plan, machines }: MachineExporterArgs,
    image: pulumi.Input<string>,
  ): Node {
    const settings = plan.settings.machineExporter;
    return new Node(
      planned.key,
      {
        planned,
        machine: machines.at(planned.machine, []),
        tier: plan.tiers.machineExporter.name,
        workload: workload(planned, image, settings),
        service: { probe: { port: settings.port, path: "/" } },
        required: 0,
        startTimeoutSeconds: 60,
        members: [planned],
        balancer: undefined,
        after: [],
      },
      { parent: this },
    );
  }
}

function workload(
  { machine }: PlannedNode,
  image: pulumi.Input<string>,
  settings: { readonly port: number; readonly memoryMegabytes: number },
): Workload {
  return {
    image,
    command: [
      `--web.listen-address=${machine.address}:${settings.port}`,
      "--path.procfs=/machine/proc",
      "--path.sysfs=/machine/sys",
      "--path.rootfs=/machine/root",
      "--collector.disable-defaults",
      ...collectors.map((collector) => `--collector.${collector}`),
      "--collector.textfile.directory=/machine/metrics",
      "--web.disable-exporter-metrics",
      "--log.format=json",
    ],
    files: {},
    machineFolders: {
      "/": "/machine/root",
      "/proc": "/machine/proc",
      "/sys": "/machine/sys",
      [metricsFolder]: "/machine/metrics",
    },
    memoryMegabytes: settings.memoryMegabytes,
    stopTimeoutSeconds: 5,
  };
}
