import type { Run } from "../support/liveStack";
import type { Fault } from "./fault";

/** A machine's nodes are out of service because somebody works on it; over when the work is. */
export function machineMaintained(machine: string, seconds: number): Fault {
  let work: Promise<Run> | undefined;
  return {
    name: `${machine} under maintenance`,
    inject: (stack) => {
      work = stack.make("maintain", { MACHINE: machine, COMMAND: `sleep ${seconds}` });
      return Promise.resolve();
    },
    heal: async () => {
      const run = await work;
      if (run?.ok === false) throw new Error(`make maintain failed:\n${run.output}`);
    },
  };
}
