import { mustRun, type Fault } from "./fault";

/** The kernel keeps so many characters of a program's name. */
const nameLength = 15;

/**
 * A program of a node is dead and stays so: the agent, which would start it again at once, stands
 * still. What asks the program is refused, as where it cannot start.
 */
export function programDead(node: string, machine: string, program: string): Fault {
  const agent = `$(docker inspect -f '{{.State.Pid}}' ${node})`;
  return {
    name: `${program} dead on ${node}`,
    inject: async (stack) => {
      const name = program.slice(0, nameLength);
      await mustRun(
        stack,
        machine,
        `pid=$(docker top ${node} -eo pid,comm | awk '$2 == "${name}" {print $1}'); test -n "$pid" && kill -STOP ${agent} && kill -KILL $pid`,
      );
    },
    heal: async (stack) => {
      await mustRun(stack, machine, `kill -CONT ${agent}`);
    },
  };
}
