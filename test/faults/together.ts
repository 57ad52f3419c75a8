import type { Fault } from "./fault";

/** Several faults as one: injected in order, healed in the opposite one. */
export function together(name: string, ...faults: readonly Fault[]): Fault {
  return {
    name,
    inject: async (stack) => {
      for (const fault of faults) await fault.inject(stack);
    },
    heal: async (stack) => {
      for (const fault of [...faults].reverse()) await fault.heal(stack);
    },
  };
}
