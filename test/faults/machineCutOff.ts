import { mustRun, type Fault } from "./fault";

const table = "inet holdfast_test_cut_off";

/**
 * A machine loses its network: nothing comes in and nothing goes out, without a word to anyone.
 * Only the deployer's SSH stays, which a real machine would not have; the peers see no difference.
 */
export function machineCutOff(machine: string): Fault {
  return {
    name: `${machine} cut off`,
    inject: async (stack) => {
      const rules = [
        `add table ${table}`,
        `add chain ${table} in { type filter hook input priority -300 ; }`,
        `add rule ${table} in iifname != lo tcp dport != 22 drop`,
        `add rule ${table} in iifname != lo meta l4proto != tcp drop`,
        `add chain ${table} out { type filter hook output priority -300 ; }`,
        `add rule ${table} out oifname != lo tcp sport != 22 drop`,
        `add rule ${table} out oifname != lo meta l4proto != tcp drop`,
      ];
      await mustRun(stack, machine, `printf '%s\\n' '${rules.join("' '")}' | nft -f -`);
    },
    heal: async (stack) => {
      await mustRun(stack, machine, `nft delete table ${table}`);
    },
  };
}
