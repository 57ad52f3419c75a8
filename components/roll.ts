import type * as pulumi from "@pulumi/pulumi";
import type { Service } from "../model/gate";
import type { PlannedNode, PlannedTier, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import type { Machines } from "./machines";
import { Node, type Workload } from "./node";

export interface RollArgs {
  readonly plan: StackPlan<Tiers>;
  readonly tier: PlannedTier;
  readonly machines: Machines;
  readonly workload: (node: PlannedNode) => Workload;
  readonly service: Service;
  /** Seconds until a new node must be in service. Default: 60. */
  readonly startTimeoutSeconds?: number;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The nodes of a tier, chained: each waits for the gate of the one before it, the first for
 * `after`. The gate is the only thing between them; no property of one flows into another.
 */
export function rollOut(parent: pulumi.Resource, args: RollArgs): Node[] {
  const { plan, tier, machines } = args;
  const balancer = Object.values(plan.tiers).find(
    ({ declaration }) => declaration.vips !== undefined,
  );
  const nodes: Node[] = [];
  for (const planned of tier.nodes) {
    const previous = nodes.slice(-1).map(({ gate }) => gate);
    nodes.push(
      new Node(
        planned.key,
        {
          planned,
          machine: machines.at(planned.machine, previous),
          tier: tier.name,
          workload: args.workload(planned),
          service: args.service,
          required: tier.declaration.votes ? Math.floor(tier.nodes.length / 2) + 1 : 1,
          startTimeoutSeconds: args.startTimeoutSeconds ?? 60,
          members: tier.nodes,
          balancers: balancer?.nodes ?? [],
          after: previous.length > 0 ? previous : args.after,
        },
        { parent },
      ),
    );
  }
  return nodes;
}

/** The gates of these nodes, for what comes after them. */
export function gatesOf(nodes: readonly Node[]): pulumi.Resource[] {
  return nodes.map(({ gate }) => gate);
}
