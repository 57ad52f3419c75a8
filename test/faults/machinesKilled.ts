import { execa } from "execa";
import type { Fault } from "./fault";

/**
 * Machines lose their power at the same moment. Their disks stay; what the kernel had not written
 * yet survives too, because it is this computer's kernel: so this is not a test of lost power.
 */
export function machinesKilled(machines: readonly string[]): Fault {
  return {
    name: `${machines.join(", ")} killed`,
    inject: async (stack) => {
      await execa("docker", ["kill", ...machines.map((machine) => stack.container(machine))]);
    },
    heal: async (stack) => {
      await execa("docker", ["start", ...machines.map((machine) => stack.container(machine))]);
    },
  };
}
