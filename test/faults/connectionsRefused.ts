import { mustRun, type Fault } from "./fault";

const table = "inet holdfast_test_refused";

/** A machine's connections to these ports of an address are reset, new ones and open ones. */
export function connectionsRefused(
  machines: readonly string[],
  address: string,
  ports: readonly number[],
): Fault {
  const onEach = async (command: string, run: (machine: string, text: string) => Promise<string>) =>
    Promise.all(machines.map((machine) => run(machine, command)));
  return {
    name: `${address}:${ports.join(",")} refused to ${machines.join(", ")}`,
    inject: async (stack) => {
      const rules = [
        `add table ${table}`,
        `add chain ${table} out { type filter hook output priority -300 ; }`,
        `add rule ${table} out ip daddr ${address} tcp dport { ${ports.join(", ")} } reject with tcp reset`,
      ];
      await onEach(`printf '%s\\n' '${rules.join("' '")}' | nft -f -`, (machine, text) =>
        mustRun(stack, machine, text),
      );
    },
    heal: async (stack) => {
      await onEach(`nft delete table ${table}`, (machine, text) => mustRun(stack, machine, text));
    },
  };
}
