import type * as pulumi from "@pulumi/pulumi";
import { allowedElements } from "../model/connections";
import type { PlannedMachine, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { Machine, type MachineHandle } from "./machine";

/** Where machines come from: the lab, or an inventory of existing VMs. */
export interface MachineSource {
  /** Makes or adopts a machine; its resources are children of `parent`. */
  provide(
    planned: PlannedMachine,
    parent: pulumi.Resource,
    dependsOn: pulumi.Resource[],
  ): MachineHandle;
}

/** The machines of a stack, each made when the first node is placed on it. */
export class Machines {
  private readonly made = new Map<string, Machine>();

  constructor(
    private readonly plan: StackPlan<Tiers>,
    private readonly source: MachineSource,
  ) {}

  /**
   * The machine of that plan. `after` are gates that must hold before it is made or replaced, so
   * that a change to all machines takes one at a time within a tier.
   */
  at(planned: PlannedMachine, after: readonly pulumi.Resource[]): Machine {
    const known = this.made.get(planned.key);
    if (known) return known;
    const machine = new Machine(planned.key, {
      planned,
      provide: (parent, dependsOn) => this.source.provide(planned, parent, dependsOn),
      allowed: allowedElements(this.plan, planned.key),
      after,
    });
    this.made.set(planned.key, machine);
    return machine;
  }

  /** Ends the firewalls' tolerance for peers that this update removed, after `gates`. */
  closeFirewalls(gates: readonly pulumi.Resource[]): void {
    for (const machine of this.made.values()) machine.closeFirewall(gates);
  }
}
