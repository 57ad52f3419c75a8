import * as command from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import type { Service } from "../model/gate";
import type { PlannedNode, PlannedTier, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import type { Machines } from "./machines";
import { gateSpec, Node, type NodeArgs, type Workload } from "./node";

export interface RollArgs {
  readonly plan: StackPlan<Tiers>;
  readonly tier: PlannedTier;
  readonly machines: Machines;
  readonly workload: (node: PlannedNode) => Workload;
  /** What must hold beside the node's own word, where it gives one. Default: nothing. */
  readonly service?: Omit<Service, "statusPort" | "metricsTls" | "passwords">;
  /** True where its nodes use generated passwords: their gates record of which generation. */
  readonly usesPasswords?: boolean;
  /** Seconds until a new node must be in service. Default: 60. */
  readonly startTimeoutSeconds?: number;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** What all gates of a tier have in common, and what is the node's own. */
function gateArgs(args: RollArgs, planned: PlannedNode) {
  const { plan, tier, service, startTimeoutSeconds } = args;
  const balancer = Object.values(plan.tiers).find(
    ({ declaration }) => declaration.vips !== undefined,
  );
  const { statusPort } = tier;
  return {
    planned,
    service: {
      ...(statusPort !== undefined && {
        statusPort,
        metricsTls: plan.settings.pki.metricsTls,
      }),
      ...(args.usesPasswords && { passwords: plan.settings.passwords.generation }),
      ...service,
    },
    required: tier.declaration.votes ? Math.floor(tier.nodes.length / 2) + 1 : 1,
    startTimeoutSeconds: startTimeoutSeconds ?? 60,
    members: tier.nodes,
    balancer,
  } satisfies Partial<NodeArgs>;
}

/**
 * The nodes of a tier, chained: each waits for the gate of the one before it, the first for
 * `after`. The gate is the only thing between them; no property of one flows into another.
 */
export function rollOut(parent: pulumi.Resource, args: RollArgs): Node[] {
  const { tier, machines } = args;
  const nodes: Node[] = [];
  for (const planned of tier.nodes) {
    const previous = nodes.slice(-1).map(({ gate }) => gate);
    nodes.push(
      new Node(
        planned.key,
        {
          ...gateArgs(args, planned),
          machine: machines.at(planned.machine, previous),
          tier: tier.name,
          workload: args.workload(planned),
          after: previous.length > 0 ? previous : args.after,
        },
        { parent },
      ),
    );
  }
  return nodes;
}

/** A node of an exporter. */
export interface ExporterNodeArgs {
  readonly planned: PlannedNode;
  readonly machines: Machines;
  /** Settings name of its tier. */
  readonly tier: string;
  readonly workload: Omit<Workload, "memoryMegabytes" | "stopTimeoutSeconds">;
  readonly settings: { readonly memoryMegabytes: number };
  /** What must be there before it. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A node that only reads: those of its tier know nothing of each other and nobody waits for them,
 * so they are not chained, and one machine more touches no other.
 */
export function exporterNode(parent: pulumi.Resource, args: ExporterNodeArgs): Node {
  const { planned, machines, tier, settings, after } = args;
  return new Node(
    planned.key,
    {
      planned,
      machine: machines.at(planned.machine, []),
      tier,
      workload: {
        ...args.workload,
        memoryMegabytes: settings.memoryMegabytes,
        stopTimeoutSeconds: 5,
      },
      service: { healthCheck: true },
      required: 0,
      startTimeoutSeconds: 60,
      members: [planned],
      balancer: undefined,
      after,
    },
    { parent },
  );
}

/**
 * The first start of a group, after the gates of all its members: once in the stack's life, so that
 * a group whose members all lost their data is never taken for a new one.
 */
export function formGroup(
  parent: pulumi.Resource,
  name: string,
  args: RollArgs,
  nodes: readonly Node[],
): pulumi.Resource {
  const [first] = args.tier.nodes;
  if (!first) throw new Error(`${name}: a group needs a member`);
  return new command.local.Command(
    name,
    {
      create: "node --import tsx operations/runGate.ts form",
      environment: { HOLDFAST_GATE: JSON.stringify(gateSpec(gateArgs(args, first))) },
      addPreviousOutputInEnv: false,
    },
    // What it waited for may change later; the group is there then.
    { parent, dependsOn: gatesOf(nodes), ignoreChanges: ["create", "environment"] },
  );
}

/** The gates of these nodes, for what comes after them. */
export function gatesOf(nodes: readonly Node[]): pulumi.Resource[] {
  return nodes.map(({ gate }) => gate);
}
