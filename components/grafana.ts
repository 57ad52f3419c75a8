import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode } from "../model/stack";
import { adminPasswordFile, grafanaFiles, readerHosts, type GrafanaPlan } from "./grafana.files";
import type { Machines } from "./machines";
import type { Node, Workload } from "./node";
import type { Passwords } from "./passwords";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface GrafanaArgs {
  readonly plan: GrafanaPlan;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  readonly passwords: Passwords;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** A folder in memory for the official image's user alone. */
const ownFolder = "uid=472,gid=0,mode=0700";

/** Dashboards beside each monitoring node. */
export class Grafana extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Grafana";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];
  /** Password of `admin`. Secret; undefined where the stack has no Grafana. */
  readonly adminPassword: pulumi.Output<string> | undefined;

  constructor(name: string, args: GrafanaArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Grafana.type, name, {}, opts);
    const { plan, passwords } = args;
    const tier = plan.tiers.grafana;
    if (tier.nodes.length === 0) {
      this.nodes = [];
      this.gates = args.after;
      this.adminPassword = undefined;
    } else {
      const password = passwords.of("grafana-admin").current;
      this.nodes = rollOut(this, {
        ...args,
        tier,
        workload: this.workload(name, args, password),
        service: { healthCheck: true },
        startTimeoutSeconds: plan.settings.grafana.startTimeoutSeconds,
      });
      this.gates = gatesOf(this.nodes);
      this.adminPassword = pulumi.secret(password);
    }
    this.registerOutputs({});
  }

  private workload(
    name: string,
    { plan, registry, pki }: GrafanaArgs,
    password: pulumi.Output<string>,
  ): (node: PlannedNode) => Workload {
    const { image, memoryMegabytes } = plan.settings.grafana;
    const own = new RoleImage(
      `${name}-image`,
      { role: "grafana", context: "images/grafana", buildArguments: { BASE: image }, registry },
      { parent: this },
    );
    return (node) => ({
      image: own.reference,
      environment: { GF_SECURITY_ADMIN_PASSWORD__FILE: adminPasswordFile },
      files: {
        ...grafanaFiles(plan, node),
        [adminPasswordFile]: pulumi.secret(password),
        ...tlsFiles(pki, pki.node(node, { names: [], addresses: [] })),
      },
      hosts: readerHosts(plan),
      tmpfs: { "/var/lib/grafana": ownFolder, "/tmp": ownFolder },
      memoryMegabytes,
      stopTimeoutSeconds: 15,
    });
  }
}
