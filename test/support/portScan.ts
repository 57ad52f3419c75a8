import { execa } from "execa";
import { covers } from "../../model/addresses";
import { connections, type Connection } from "../../model/connections";
import type { PlannedMachine, StackPlan } from "../../model/stack";
import type { Tiers } from "../../model/tier";
import { npmImages } from "../../toolchain/versions";

/** What connections to an address came to, by port: `open` where somebody accepted one. */
export interface Seen {
  readonly open: readonly number[];
  /** Refused by the machine: the firewall let it through, and nobody listens. */
  readonly refused: readonly number[];
}

/** Ports to try at an address. */
export interface Target {
  readonly address: string;
  /** `all`: every port there is. */
  readonly ports: readonly number[] | "all";
}

const highestPort = 65_535;
/** Connections under way at once. */
const width = 4000;
/** Machines of a lab are a fraction of a millisecond away; a busy computer may take longer. */
const patienceMs = 700;

/**
 * Reads targets from standard input, tries them one after the other, and prints what was seen. What
 * was silent is tried once more: a busy computer must not make an open port look closed.
 */
const scanner = `
const net = require("node:net");
const attempt = (host, port, timeout) => new Promise((resolve) => {
  const socket = net.connect({ host, port });
  const done = (result) => { clearTimeout(timer); socket.destroy(); resolve(result); };
  const timer = setTimeout(() => done("silent"), timeout);
  socket.once("connect", () => done("open"));
  socket.once("error", (error) => done(error.code === "ECONNREFUSED" ? "refused" : "silent"));
});
async function scan({ address, ports }) {
  const left = ports === "all" ? Array.from({ length: ${highestPort} }, (_, n) => n + 1) : [...ports];
  const seen = { open: [], refused: [] };
  const work = async () => {
    for (let port = left.pop(); port !== undefined; port = left.pop()) {
      let result = await attempt(address, port, ${patienceMs});
      if (result === "silent" && ports !== "all") result = await attempt(address, port, ${patienceMs});
      if (result !== "silent") seen[result].push(port);
    }
  };
  await Promise.all(Array.from({ length: ${width} }, work));
  const sort = (list) => list.sort((a, b) => a - b);
  return { open: sort(seen.open), refused: sort(seen.refused) };
}
(async () => {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const found = {};
  for (const target of JSON.parse(input)) found[target.address] = await scan(target);
  console.log(JSON.stringify(found));
})();
`;

/**
 * Tries ports from one of the lab's machines; address -> what was seen. The scanner runs in the
 * machine's network, so that not every machine needs Node.js. `container`: the machine's.
 */
export async function scanFrom(
  container: string,
  targets: readonly Target[],
): Promise<Readonly<Record<string, Seen>>> {
  const [image] = npmImages;
  const { stdout } = await execa(
    "docker",
    [
      ...["run", "--rm", "--interactive", "--network", `container:${container}`],
      ...[image?.name ?? "node", "node", "-e", scanner],
    ],
    { input: JSON.stringify(targets) },
  );
  return JSON.parse(stdout) as Record<string, Seen>;
}

/** What a scan from one address may find at another. */
export interface Declared {
  /** Ports on which somebody accepts connections. */
  readonly open: readonly number[];
  /** Ports that the firewall lets through, whoever listens there. */
  readonly passed: readonly number[];
}

/**
 * What the tiers declare that `from` may reach at `to`, the address of a machine or a virtual one.
 * Firewalls go by port: what is offered on one virtual address is refused, not dropped, on the
 * others of its machine.
 */
export function declared(plan: StackPlan<Tiers>, from: string, to: string): Declared {
  const balancer = Object.values(plan.tiers).find(
    ({ declaration }) => declaration.vips !== undefined,
  );
  const virtual = plan.vips && [plan.vips.edge, plan.vips.internal].includes(to);
  const machine = virtual
    ? balancer?.nodes[0]?.machine
    : plan.machines.find(({ address }) => address === to);
  if (!machine) throw new Error(`no machine of the stack has ${to}`);
  const offered = plan.backends.filter(({ address }) => address === to);
  const reachable = connections(plan).filter(
    (one) => one.protocol === "tcp" && one.to === machine.key && covers(one.from, `${from}/32`),
  );
  const open = reachable.filter(({ tier, endpoint }) =>
    tier === balancer?.name && endpoint !== undefined
      ? offered.some((backend) => backend.endpoint === endpoint)
      : // The machine's own SSH listens on whatever address it has.
        machine.address === to || tier === "machines",
  );
  const portsOf = (list: readonly Connection[]) =>
    [...new Set(list.flatMap(({ port }) => port ?? []))].sort((a, b) => a - b);
  return { open: portsOf(open), passed: portsOf(reachable) };
}

/** What a scan found that nobody declared, or did not find; nothing where all is as declared. */
export function differences(seen: Seen, allowed: Declared): readonly string[] {
  const wrong = (ports: readonly number[], what: string) =>
    ports.length > 0 ? [`${ports.join(", ")}: ${what}`] : [];
  const { open, passed } = allowed;
  return [
    ...wrong(
      seen.open.filter((port) => !open.includes(port)),
      "open, and not declared",
    ),
    ...wrong(
      seen.refused.filter((port) => !passed.includes(port)),
      "let through by the firewall, and not declared",
    ),
    ...wrong(
      open.filter((port) => !seen.open.includes(port)),
      "declared, and not open",
    ),
  ];
}

/** Where a machine may connect to: the others, and virtual addresses that it does not hold itself. */
function addressesFor({ machines, vips, tiers }: StackPlan<Tiers>, from: PlannedMachine): string[] {
  const balances = Object.values(tiers).some(
    ({ declaration, nodes }) =>
      declaration.vips !== undefined && nodes.some(({ machine }) => machine.key === from.key),
  );
  return [
    ...machines.filter(({ key }) => key !== from.key).map(({ address }) => address),
    ...(vips && !balances ? [vips.edge, vips.internal] : []),
  ];
}

/**
 * Scans all that a machine may connect to: what is declared and `portsAt` each address. `container`:
 * the machine's. Gives how many ports were tried, and what is not as declared.
 */
export async function scanMachine(
  plan: StackPlan<Tiers>,
  from: PlannedMachine,
  container: string,
  portsAt: (address: string) => Target["ports"],
): Promise<{ readonly tried: number; readonly wrong: readonly string[] }> {
  const scans = addressesFor(plan, from).map((address) => {
    const allowed = declared(plan, from.address, address);
    const wanted = portsAt(address);
    const ports =
      wanted === "all" ? wanted : [...new Set([...allowed.open, ...allowed.passed, ...wanted])];
    return { allowed, target: { address, ports } };
  });
  const seen = await scanFrom(
    container,
    scans.map(({ target }) => target),
  );
  const wrong = scans.flatMap(({ allowed, target: { address } }) =>
    differences(seen[address] ?? { open: [], refused: [] }, allowed).map(
      (what) => `${from.key} -> ${address}: ${what}`,
    ),
  );
  const counts = scans.map(({ target: { ports } }) =>
    ports === "all" ? highestPort : ports.length,
  );
  return { tried: counts.reduce((sum, count) => sum + count, 0), wrong };
}
