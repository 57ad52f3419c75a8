import * as pulumi from "@pulumi/pulumi";
import type { Endpoint, PlannedMachine, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { sshOptions } from "../operations/ssh";
import type { Node } from "./node";

/** A node for people and scripts: where it is, and the id of its container. */
export interface NodeOutput {
  readonly machine: string;
  readonly address: string;
  readonly container: pulumi.Output<string>;
}

/** What scripts and people hold on to: the stack's outputs, from the plan and the made nodes. */
export function describeStack<T extends Tiers>(
  plan: StackPlan<T>,
  made: { readonly [K in keyof T]: readonly Node[] },
) {
  const edge = plan.backends.find(({ vip }) => vip === "edge");
  const plainPort = edge?.ports.find(({ tls }) => !tls)?.port;
  const url = plan.vips
    ? `http://${plan.vips.edge}${plainPort === 80 ? "" : `:${plainPort}`}`
    : `http://${edge?.address}:${edge?.servers[0]?.port}`;
  return {
    url,
    vip: plan.vips?.edge,
    internalVip: plan.vips?.internal,
    nodes: Object.fromEntries(
      Object.keys(made).map((tier) => [tier, nodesOf(plan, tier, made[tier] ?? [])]),
    ),
    machineList: Object.fromEntries(
      plan.machines.map((machine) => [
        machine.key,
        { address: machine.address, login: login(machine) },
      ]),
    ),
    endpoints: Object.fromEntries(
      plan.endpoints.map((endpoint) => [endpoint.name, address(endpoint)]),
    ),
  };
}

function nodesOf(
  plan: StackPlan<Tiers>,
  tier: string,
  made: readonly Node[],
): Record<string, NodeOutput> {
  return Object.fromEntries(
    (plan.tiers[tier]?.nodes ?? []).flatMap(({ key, machine }, index) => {
      const node = made[index];
      return node
        ? [[key, { machine: machine.key, address: machine.address, container: node.containerId }]]
        : [];
    }),
  );
}

function login({ key, ssh }: PlannedMachine): string {
  const options = sshOptions({ stack: pulumi.getStack(), machine: key, ...ssh });
  return `ssh ${options.join(" ")} -p ${ssh.port} ${ssh.user}@${ssh.host}`;
}

function address({ name: _name, ...rest }: Endpoint) {
  return rest;
}
