import { mustRun, type Fault } from "./fault";

/** All processes of nodes end at once and stay away until somebody starts the nodes again. */
export function nodesKilled(nodes: readonly { node: string; machine: string }[]): Fault {
  return {
    name: `${nodes.map(({ node }) => node).join(", ")} killed`,
    inject: async (stack) => {
      await Promise.all(
        nodes.map(({ node, machine }) => mustRun(stack, machine, `docker kill ${node}`)),
      );
    },
    heal: async (stack) => {
      await Promise.all(
        nodes.map(({ node, machine }) => mustRun(stack, machine, `docker start ${node}`)),
      );
    },
  };
}
