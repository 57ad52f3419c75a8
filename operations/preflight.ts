import {
  takeoverProblems,
  unfitMachines,
  unfitMessage,
  type ExpectedMachine,
  type MachineFacts,
  type Takeover,
} from "../model/preflight";
import type { PlannedMachine, PlannedTier, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { ssh, type SshTarget } from "./ssh";

/** Kernel settings that the machines of load balancers need. */
const balancerSysctls = [
  "net/ipv4/conf/all/arp_ignore",
  "net/ipv4/conf/all/arp_announce",
  "net/netfilter/nf_conntrack_tcp_loose",
];

/** What the firewall and second chance need of nft and the kernel; checked, never loaded. */
const sampleRules = `
table inet holdfast_preflight {
  set seen { type ipv4_addr; flags timeout; }
  chain input {
    type filter hook prerouting priority mangle;
    ct state invalid meta mark set 1
    ip dscp cs1 meta mark set 2
    ip saddr @seen tcp flags syn accept
  }
  chain refuse { type filter hook input priority filter; tcp dport 9 reject with tcp reset; }
}`;

/**
 * Bash that prints what a machine is like, a fact a line: name, tab, value. `peers` and `vips`
 * are empty but for a load balancer's machine.
 */
export function factsScript(
  peers: readonly { readonly machine: string; readonly address: string }[],
  vips: readonly string[],
): string {
  return [
    'say() { printf \'%s\\t%s\\n\' "$1" "$2"; }',
    'say time "$(date +%s.%N)"',
    'say uid "$(id -u)"',
    "say engine \"$(timeout 5 docker version -f '{{.Server.Version}}' 2>/dev/null)\"",
    "modprobe -q nf_conntrack 2>/dev/null || true",
    `checked=$(nft -c -f - 2>&1 <<'RULES'\n${sampleRules}\nRULES\n) || say firewall "$(printf '%s' "\${checked:-nft is missing}" | head -n 1)"`,
    ...(vips.length > 0 ? balancerSysctls : []).map(
      (file) => `[ -e /proc/sys/${file} ] || say sysctl ${file.replaceAll("/", ".")}`,
    ),
    'ip -4 -o address show | while read -r _ name _ address _; do say address "$name ${address%/*}"; done',
    'for folder in /sys/class/net/*; do say mac "${folder##*/} $(cat "$folder/address" 2>/dev/null)"; done',
    ...peers.map(
      ({ machine, address }) =>
        `ip -4 route get ${address} 2>/dev/null | grep -q ' via ' && say routed ${machine}`,
    ),
    // A datagram makes the kernel ask who holds the address, without any tool.
    ...vips.map(
      (vip) =>
        `ip -4 neighbour flush to ${vip} 2>/dev/null; (echo >/dev/udp/${vip}/9) 2>/dev/null || true`,
    ),
    ...(vips.length > 0 ? ["sleep 1"] : []),
    ...vips.map(
      (vip) =>
        `holder=$(ip -4 neighbour show ${vip} | sed -n 's/.* lladdr \\([^ ]*\\).*/\\1/p' | head -n 1); [ -z "$holder" ] || say holder "${vip} $holder"`,
    ),
    'say containers "$(docker ps --quiet --filter label=holdfast.tier=loadBalancer 2>/dev/null | wc -l)"',
    "true",
  ].join("\n");
}

/** Facts from what the script printed. `offset` times are this computer's, seconds. */
export function parseFacts(
  machine: string,
  output: string,
  asked: number,
  answered: number,
): MachineFacts {
  const values = (name: string) =>
    output
      .split("\n")
      .filter((line) => line.startsWith(`${name}\t`))
      .map((line) => line.slice(name.length + 1));
  const pairs = (name: string) =>
    values(name).map((value) => value.split(" ") as [string, string | undefined]);
  const first = (name: string) => values(name)[0] || undefined;
  const time = first("time");
  const uid = first("uid");
  const addresses: Record<string, string[]> = {};
  for (const [name, address] of pairs("address")) {
    if (address) (addresses[name] ??= []).push(address);
  }
  return {
    machine,
    unreachable: undefined,
    uid: uid === undefined ? undefined : Number(uid),
    engine: first("engine"),
    clockOffset: time === undefined ? undefined : Number(time) - (asked + answered) / 2,
    clockTolerance: (answered - asked) / 2,
    firewallProblem: first("firewall"),
    missingSysctls: values("sysctl"),
    addresses,
    macAddresses: Object.fromEntries(
      pairs("mac").flatMap(([name, mac]) => (mac ? [[name, mac]] : [])),
    ),
    holders: Object.fromEntries(pairs("holder").flatMap(([vip, mac]) => (mac ? [[vip, mac]] : []))),
    routedPeers: values("routed"),
  };
}

function unreachable(machine: string, reason: string): MachineFacts {
  return { ...parseFacts(machine, "", 0, 0), unreachable: reason };
}

async function askFacts(
  target: SshTarget,
  script: string,
): Promise<{ facts: MachineFacts; balancers: number }> {
  const asked = Date.now() / 1000;
  const { exitCode, stdout, stderr } = await ssh(target, "bash -s", {
    timeoutSeconds: 20,
    input: script,
  });
  const answered = Date.now() / 1000;
  if (exitCode !== 0) {
    const reason = stderr.trim().split("\n").pop() || `exit code ${exitCode}`;
    return { facts: unreachable(target.machine, reason), balancers: 0 };
  }
  const balancers = Number(/^containers\t(\d+)$/m.exec(stdout)?.[1] ?? 0);
  return { facts: parseFacts(target.machine, stdout, asked, answered), balancers };
}

const heldSeconds = 10;

/** Puts the address on one machine for a moment and connects to it from the other. */
async function tryTakeover(
  vip: string,
  holder: { readonly target: SshTarget; readonly interface: string },
  from: SshTarget,
): Promise<Takeover> {
  const result = { vip, holder: holder.target.machine, from: from.machine };
  const remove = `ip address del ${vip}/32 dev ${holder.interface} 2>/dev/null`;
  // It goes away by itself where this computer is cut off in between.
  const put = await ssh(
    holder.target,
    `ip address add ${vip}/32 dev ${holder.interface} || exit 1; (sleep ${heldSeconds}; ${remove}) >/dev/null 2>&1 &`,
  );
  if (put.exitCode !== 0) {
    return { ...result, problem: put.stderr.trim() || "it cannot be added to the interface" };
  }
  try {
    // Refused is as good as open: something answered from there.
    const reached = await ssh(
      from,
      `ip neighbour del ${vip} dev $(ip -4 route get ${vip} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p') 2>/dev/null; timeout 4 bash -c 'exec 3<>/dev/tcp/${vip}/${holder.target.port}' 2>&1`,
      { timeoutSeconds: 8 },
    );
    const answered = reached.exitCode === 0 || /refused/i.test(reached.stdout);
    return { ...result, problem: answered ? undefined : "nothing answers within 4 s" };
  } finally {
    await ssh(holder.target, `${remove}; true`);
    await ssh(from, `ip neighbour flush to ${vip} 2>/dev/null; true`);
  }
}

/**
 * Checks the machines of an inventory before the first change, one round trip each. That a virtual
 * address can move is tried only while no load balancer runs. Throws one error naming every
 * failure with its machine and what to do.
 */
export async function preflight(
  plan: StackPlan<Tiers>,
  targetOf: (planned: PlannedMachine) => SshTarget,
): Promise<void> {
  const balancer = Object.values<PlannedTier>(plan.tiers).find(
    (tier) => tier.declaration.vips !== undefined,
  );
  const pair = (plan.vips ? (balancer?.nodes ?? []) : []).map(({ machine }) => machine);
  const vips = plan.vips ? [plan.vips.edge, plan.vips.internal] : [];
  const isBalancer = ({ key }: PlannedMachine) => pair.some((machine) => machine.key === key);

  const asked = await Promise.all(
    plan.machines.map((planned) => {
      const peers = pair
        .filter(({ key }) => key !== planned.key)
        .map(({ key, address }) => ({ machine: key, address }));
      const script = isBalancer(planned) ? factsScript(peers, vips) : factsScript([], []);
      return askFacts(targetOf(planned), script);
    }),
  );
  const expected = plan.machines.map((planned): ExpectedMachine => ({
    machine: planned.key,
    address: planned.address,
    interface: planned.interface,
    balancer: isBalancer(planned),
  }));
  const problems = unfitMachines(
    expected,
    asked.map(({ facts }) => facts),
  );
  const running = asked.some(({ balancers }) => balancers > 0);
  const [first, second] = pair;
  if (problems.length === 0 && !running && first && second) {
    const holder = { target: targetOf(first), interface: first.interface };
    const takeovers: Takeover[] = [];
    for (const vip of vips) takeovers.push(await tryTakeover(vip, holder, targetOf(second)));
    problems.push(...takeoverProblems(takeovers));
  }
  if (problems.length > 0) throw new Error(unfitMessage(problems));
}
