import { mustRun, type Fault } from "./fault";

const signal = (node: string, name: string) =>
  `pids=$(docker top ${node} -eo pid | awk 'NR>1') && test -n "$pids" && kill -${name} $pids`;

/** Every process of a node stands still, as on a machine that swaps or a paused virtual machine. */
export function processesFrozen(node: string, machine: string): Fault {
  return {
    name: `${node} frozen`,
    inject: async (stack) => {
      await mustRun(stack, machine, signal(node, "STOP"));
    },
    heal: async (stack) => {
      await mustRun(stack, machine, signal(node, "CONT"));
    },
  };
}
