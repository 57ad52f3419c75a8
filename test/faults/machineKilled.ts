import { execa } from "execa";
import type { Fault } from "./fault";

/** A machine loses its power: all its processes end at once. Its disk stays. */
export function machineKilled(machine: string): Fault {
  return {
    name: `${machine} killed`,
    inject: async (stack) => {
      await execa("docker", ["kill", stack.container(machine)]);
    },
    heal: async (stack) => {
      await execa("docker", ["start", stack.container(machine)]);
    },
  };
}
