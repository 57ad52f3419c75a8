import { mustRun, type Fault } from "./fault";

const table = "inet holdfast_test_blinking";
const pidFile = "/run/holdfast-test-blinking.pid";

/** How the edge comes and goes. Times in seconds. */
export interface Blinking {
  /** Machines of the load balancers. */
  readonly machines: readonly string[];
  /** Ports that are refused, one after the other. */
  readonly ports: readonly number[];
  /** How long each is refused at a time. */
  readonly refusedSeconds: number;
  /** How long all of them answer in between. */
  readonly pauseSeconds: number;
}

/** New connections to the edge are refused for moments, again and again, each too short to page. */
export function edgeBlinking({ machines, ports, refusedSeconds, pauseSeconds }: Blinking): Fault {
  // On the machines, because a busy computer would not keep the rhythm over SSH.
  const moment = (port: number) => {
    const rules = [
      `add table ${table}`,
      `add chain ${table} in { type filter hook input priority -300 ; }`,
      `add rule ${table} in tcp dport ${port} tcp flags & (syn | ack) == syn reject with tcp reset`,
    ];
    return [
      `printf "%s\\n" "${rules.join('" "')}" | nft -f -`,
      `sleep ${refusedSeconds}`,
      `nft delete table ${table}`,
      `sleep ${pauseSeconds}`,
    ].join("; ");
  };
  const loop = `while true; do ${ports.map(moment).join("; ")}; done`;
  return {
    name: `the edge's ports ${ports.join(", ")} refused for ${refusedSeconds} s at a time`,
    inject: async (stack) => {
      const command = `setsid sh -c '${loop}' </dev/null >/dev/null 2>&1 & echo $! >${pidFile}`;
      await Promise.all(machines.map((machine) => mustRun(stack, machine, command)));
    },
    heal: async (stack) => {
      // The loop with its sleep; where it was just in a pause there is no table.
      const command = `kill -- -$(cat ${pidFile}); rm ${pidFile}; nft delete table ${table} 2>/dev/null || true`;
      await Promise.all(machines.map((machine) => mustRun(stack, machine, command)));
    },
  };
}
