import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode } from "../model/stack";
import type { EdgeIdentity } from "./edgeCertificate";
import type { Machines } from "./machines";
import {
  monitoringFiles,
  monitoringSecretFiles,
  monitoringVolume,
  probeAuthority,
  readersName,
  type MonitoringPlan,
} from "./monitoring.files";
import type { Node, Workload } from "./node";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface MonitoringArgs {
  readonly plan: MonitoringPlan;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  /** Whom the probes are to meet. */
  readonly edge: EdgeIdentity;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** A folder in memory for the image's user alone. */
const ownFolder = "uid=999,gid=999,mode=0700";

/** Seconds in which Prometheus writes down what it holds in memory. */
const stopTimeoutSeconds = 60;

/** Prometheus, Alertmanager and a prober on each node; an agent runs them. */
export class Monitoring extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Monitoring";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Monitoring.type, name, {}, opts);
    const tier = args.plan.tiers.monitoring;
    if (tier.nodes.length === 0) {
      this.nodes = [];
      this.gates = args.after;
    } else {
      this.nodes = rollOut(this, {
        ...args,
        tier,
        workload: this.workload(name, args),
        startTimeoutSeconds: args.plan.settings.monitoring.startTimeoutSeconds,
      });
      this.gates = gatesOf(this.nodes);
    }
    this.registerOutputs({});
  }

  private workload(
    name: string,
    { plan, registry, pki, edge }: MonitoringArgs,
  ): (node: PlannedNode) => Workload {
    const image = new RoleImage(
      `${name}-image`,
      {
        role: "monitoring",
        context: "images/monitoring",
        programs: { "agent.js": "agents/monitoring/main.ts" },
        registry,
      },
      { parent: this },
    );
    const secrets = Object.fromEntries(
      Object.entries(monitoringSecretFiles(plan)).map(([file, content]) => [
        file,
        pulumi.secret(content),
      ]),
    );
    return (node) => ({
      image: image.reference,
      files: {
        ...monitoringFiles(plan, node, pulumi.getStack(), {
          authority: edge.authority !== undefined,
          name: edge.name ?? null,
        }),
        ...secrets,
        ...(edge.authority !== undefined && { [probeAuthority]: edge.authority }),
        ...tlsFiles(pki, pki.node(node, { names: [readersName], addresses: [] })),
      },
      volumes: { [`holdfast-${node.key}`]: monitoringVolume },
      tmpfs: { "/run/holdfast": ownFolder },
      memoryMegabytes: plan.settings.monitoring.memoryMegabytes,
      stopTimeoutSeconds,
    });
  }
}
