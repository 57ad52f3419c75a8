import * as pulumi from "@pulumi/pulumi";
import { tlsService } from "../model/gate";
import type { StackPlan } from "../model/stack";
import { servedStage } from "../model/tls";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import type { Node } from "./node";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";
import { speaksTls, webPoolFiles } from "./webPool.files";

export interface WebPoolArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** A folder in memory for the image's user alone. */
const ownFolder = "uid=33,gid=33,mode=0750";

/** nginx in front of the application: alike nodes that hold nothing. */
export class WebPool extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:WebPool";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: WebPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(WebPool.type, name, {}, opts);
    const settings = args.plan.settings.webPool;
    const image = new RoleImage(
      `${name}-image`,
      {
        role: "web",
        context: "images/web",
        programs: { "supervisor.js": "agents/supervisor/main.ts" },
        registry: args.registry,
      },
      { parent: this },
    );
    this.nodes = rollOut(this, {
      ...args,
      tier: args.plan.tiers.webPool,
      workload: (node) => ({
        image: image.reference,
        files: {
          ...webPoolFiles(args.plan, node),
          ...(speaksTls(args.plan) &&
            tlsFiles(args.pki, args.pki.node(node, { names: [], addresses: [] }))),
        },
        // Bodies that wait are files, not memory: an upload must not use up the node's limit.
        volumes: { [`holdfast-${node.key}`]: "/var/lib/nginx" },
        tmpfs: { "/run/holdfast": ownFolder, "/run/nginx": ownFolder, "/var/log/nginx": ownFolder },
        memoryMegabytes: 256,
        stopTimeoutSeconds: Math.ceil(settings.drainSeconds) + settings.readTimeoutSeconds + 5,
      }),
      service: {
        ...tlsService(
          { port: settings.port, path: "/readyz" },
          servedStage(args.plan.tiers.webPool),
        ),
        backends: ["web"],
      },
    });
    this.gates = gatesOf(this.nodes);
    this.registerOutputs({});
  }
}
