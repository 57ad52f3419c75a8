import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import type { Node, Workload } from "./node";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface AppPoolArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the hello application is pushed when the settings name no image. */
  readonly registry: Registry;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** The application: the user's image, or the hello application built here. */
export class AppPool extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:AppPool";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: AppPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(AppPool.type, name, {}, opts);
    const settings = args.plan.settings.appPool;
    const image = settings.image ?? this.helloImage(`${name}-image`, args.registry);
    this.nodes = rollOut(this, {
      ...args,
      tier: args.plan.tiers.appPool,
      workload: (node) => workload(node, settings, image),
      service: {
        probe: { port: settings.port, path: settings.readyPath },
        backends: ["app"],
      },
      startTimeoutSeconds: settings.startTimeoutSeconds,
    });
    this.gates = gatesOf(this.nodes);
    this.registerOutputs({});
  }

  private helloImage(name: string, registry: Registry): pulumi.Output<string> {
    const image = new RoleImage(
      name,
      {
        role: "hello",
        context: "apps/hello",
        programs: { "hello.js": "apps/hello/main.ts" },
        registry,
      },
      { parent: this },
    );
    return image.reference;
  }
}

function workload(
  node: PlannedNode,
  settings: StackPlan<typeof tiers>["settings"]["appPool"],
  image: pulumi.Input<string>,
): Workload {
  return {
    image,
    ...(settings.command && { command: settings.command }),
    ...(settings.user && { user: settings.user }),
    environment: {
      NODE_NAME: node.key,
      PORT: String(settings.port),
      ...settings.environment,
    },
    files: Object.fromEntries(
      Object.entries(settings.secrets).map(([secret, value]) => [
        `/run/secrets/${secret}`,
        pulumi.secret(value),
      ]),
    ),
    memoryMegabytes: settings.memoryMegabytes,
    stopTimeoutSeconds: settings.stopTimeoutSeconds,
  };
}
