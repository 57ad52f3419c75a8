import type { PlannedMachine, StackPlan } from "./stack";
import type { ServiceClass } from "./tier";

/** Docker's own default is 1024. */
const sharesOf: Readonly<Record<ServiceClass, number>> = {
  critical: 4096,
  important: 2048,
  "non-critical": 1024,
};

/**
 * CPU shares of a machine of the lab. Machines elsewhere have processors of their own; here they
 * compete for those of one computer, and a database that starts would take what requests need. So
 * the most important node of a machine decides, and twice as much goes to those that every request
 * and every connection between tiers passes through.
 */
export function labShares({ tiers }: Pick<StackPlan, "tiers">, { key }: PlannedMachine): number {
  const shares = Object.values(tiers)
    .filter(({ nodes }) => nodes.some(({ machine }) => machine.key === key))
    .map(({ declaration }) => sharesOf[declaration.serviceClass] * (declaration.vips ? 2 : 1));
  return Math.max(sharesOf["non-critical"], ...shares);
}
