import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import { metricsOverTls, webConfigFiles } from "./metricsServer";
import { mysqlPassword } from "./mysqlCluster";
import type { Node, Workload } from "./node";
import type { Passwords } from "./passwords";
import { tlsFiles, tlsFolder, type Pki } from "./pki";
import { redisPassword } from "./redisCache";
import { RoleImage, type Registry } from "./roleImage";
import { exporterNode, gatesOf } from "./roll";
import {
  exporterCommands,
  exporterSecret,
  exporterTiers,
  mysqlLogin,
  redisLogins,
  type ExporterTier,
} from "./serviceExporter.files";

export interface ServiceExporterArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  readonly passwords: Passwords;
  /** Gates of the services with accounts: they must know a password before it is presented. */
  readonly after: Readonly<Record<"mysqlExporter" | "redisExporter", readonly pulumi.Resource[]>>;
}

/** The exporters of the services, each beside a node of it. */
export class ServiceExporter extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:ServiceExporter";

  /** By the settings name of the tier. */
  readonly nodes: Readonly<Record<ExporterTier, readonly Node[]>>;
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: ServiceExporterArgs, opts?: pulumi.ComponentResourceOptions) {
    super(ServiceExporter.type, name, {}, opts);
    const { plan, registry } = args;
    const image = exporterTiers.some((tier) => plan.tiers[tier].nodes.length > 0)
      ? new RoleImage(
          `${name}-image`,
          { role: "service-exporter", context: "images/service-exporter", registry },
          { parent: this },
        ).reference
      : "";
    const nodesOf = (tier: ExporterTier) =>
      plan.tiers[tier].nodes.map((planned) =>
        exporterNode(this, {
          planned,
          machines: args.machines,
          tier,
          workload: {
            image,
            command: exporterCommands[tier](plan, planned),
            files: {
              ...loginFiles(tier, planned, args),
              ...serverFiles(tier, planned, args),
            },
          },
          settings: plan.settings[tier],
          after: tier === "nginxExporter" ? [] : args.after[tier],
        }),
      );
    this.nodes = {
      mysqlExporter: nodesOf("mysqlExporter"),
      redisExporter: nodesOf("redisExporter"),
      nginxExporter: nodesOf("nginxExporter"),
    };
    this.gates = exporterTiers.flatMap((tier) => gatesOf(this.nodes[tier]));
    this.registerOutputs({});
  }
}

/** What an exporter shows to who comes for its metrics; that of Redis has it from its arguments. */
function serverFiles(
  tier: ExporterTier,
  planned: PlannedNode,
  { plan, pki }: ServiceExporterArgs,
): Workload["files"] {
  if (!metricsOverTls(plan)) return {};
  return {
    ...(tier !== "redisExporter" && webConfigFiles(plan)),
    ...tlsFiles(pki, pki.node(planned, { names: [], addresses: [] })),
  };
}

/** What an exporter logs in with; nginx asks nobody who he is. */
function loginFiles(
  tier: ExporterTier,
  planned: PlannedNode,
  { plan, pki, passwords }: ServiceExporterArgs,
): Workload["files"] {
  if (tier === "nginxExporter") return {};
  const login =
    tier === "mysqlExporter"
      ? passwords.of(mysqlPassword("exporter")).current.apply(mysqlLogin)
      : passwords
          .of(redisPassword("exporter"))
          .current.apply((password) => redisLogins(plan, planned, password));
  return {
    [exporterSecret]: pulumi.secret(login),
    [`${tlsFolder}/ca.pem`]: pki.caCertificate,
  };
}
