import { execa } from "execa";
import type { Fault } from "./fault";

/** A machine is gone for good, disk and all, behind Pulumi's back. */
export function machineDestroyed(machine: string): Fault {
  return {
    name: `${machine} destroyed`,
    inject: async (stack) => {
      const container = stack.container(machine);
      await execa("docker", ["rm", "--force", container]);
      await execa("docker", ["volume", "rm", container]);
    },
    heal: async (stack) => {
      const run = await stack.make("replace-machine", { MACHINE: machine });
      if (!run.ok) throw new Error(`make replace-machine failed:\n${run.output}`);
    },
  };
}
