import type { PlannedMachine, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { awaitEngine } from "./reach";
import type { SshTarget } from "./ssh";

/** Checks the machines of an inventory before the first change. Throws naming each failure. */
export async function preflight(
  plan: StackPlan<Tiers>,
  targetOf: (planned: PlannedMachine) => SshTarget,
): Promise<void> {
  await Promise.all(plan.machines.map((planned) => awaitEngine(targetOf(planned), 5)));
}
