import { mustRun, type Fault } from "./fault";

/** A node's processes killed from its machine, as the kernel's out-of-memory killer would. */
export function processKilled(node: string, machine: string, process: string): Fault {
  return {
    name: `${process} killed on ${node}`,
    inject: async (stack) => {
      // The node's own processes alone: those of its container, found from its first process.
      await mustRun(
        stack,
        machine,
        // By what it was started as: what it calls itself (Node.js: MainThread) is its own affair.
        `pids=$(docker top ${node} -eo pid,args | awk 'NR>1 && $2 ~ "^(.*/)?${process}" {print $1}'); test -n "$pids" && kill -9 $pids`,
      );
    },
    heal: async () => undefined,
  };
}
