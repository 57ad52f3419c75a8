import { mustRun, type Fault } from "./fault";

const table = "inet holdfast_test_vrrp";

/** Machines no longer hear who holds the virtual addresses; all else passes between them. */
export function vrrpBlocked(machines: readonly string[]): Fault {
  return {
    name: `VRRP blocked between ${machines.join(" and ")}`,
    inject: async (stack) => {
      const rules = [
        `add table ${table}`,
        `add chain ${table} in { type filter hook input priority -300 ; }`,
        `add rule ${table} in meta l4proto 112 drop`,
      ];
      const command = `printf '%s\\n' '${rules.join("' '")}' | nft -f -`;
      await Promise.all(machines.map((machine) => mustRun(stack, machine, command)));
    },
    heal: async (stack) => {
      await Promise.all(
        machines.map((machine) => mustRun(stack, machine, `nft delete table ${table}`)),
      );
    },
  };
}
