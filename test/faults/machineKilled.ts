import type { Fault } from "./fault";
import { machinesKilled } from "./machinesKilled";

/** A machine loses its power: all its processes end at once. Its disk stays. */
export function machineKilled(machine: string): Fault {
  return machinesKilled([machine]);
}
