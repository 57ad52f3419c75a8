import { mustRun, type Fault } from "./fault";

/** A node's container stopped by hand, so that its restart policy does not bring it back. */
export function nodeStopped(node: string, machine: string): Fault {
  return {
    name: `${node} stopped`,
    inject: async (stack) => {
      await mustRun(stack, machine, `docker stop ${node}`);
    },
    heal: async (stack) => {
      await mustRun(stack, machine, `docker start ${node}`);
    },
  };
}
