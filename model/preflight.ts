/** What one machine of an inventory told about itself. Undefined: could not be seen. */
export interface MachineFacts {
  readonly machine: string;
  /** Why it could not be asked; the other facts are then meaningless. */
  readonly unreachable: string | undefined;
  readonly uid: number | undefined;
  /** Version of the Docker engine, undefined where it does not answer. */
  readonly engine: string | undefined;
  /** Its clock minus this computer's, seconds. */
  readonly clockOffset: number | undefined;
  /** Half of the time that asking took, seconds: the offset is no more exact than this. */
  readonly clockTolerance: number;
  /** What nft printed when it could not check a rule set; undefined where it could. */
  readonly firewallProblem: string | undefined;
  /** Kernel settings that do not exist, of those that its nodes need. */
  readonly missingSysctls: readonly string[];
  /** Addresses by interface. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly macAddresses: Readonly<Record<string, string>>;
  /** Only on load balancers' machines: MAC address that answers for each virtual address. */
  readonly holders: Readonly<Record<string, string>>;
  /** Only on load balancers' machines: peers that are reached through a router. */
  readonly routedPeers: readonly string[];
}

/** What the settings say of a machine, as far as preflight checks it. */
export interface ExpectedMachine {
  readonly machine: string;
  readonly address: string;
  readonly interface: string;
  readonly balancer: boolean;
}

/** What one balancer saw of a virtual address that another held for a moment. */
export interface Takeover {
  readonly vip: string;
  readonly holder: string;
  readonly from: string;
  /** Undefined where it could be reached. */
  readonly problem: string | undefined;
}

/** A machine that is not fit, and what to do. */
export interface Unfit {
  readonly machine: string;
  readonly problem: string;
  readonly remedy: string;
}

export const oldestEngine = "20.10";
export const clockAllowanceSeconds = 2;

function olderThan(version: string, floor: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const [floorMajor = 0, floorMinor = 0] = floor.split(".").map(Number);
  if (Number.isNaN(major) || Number.isNaN(minor)) return true;
  return major < floorMajor || (major === floorMajor && minor < floorMinor);
}

function problemsOf(expected: ExpectedMachine, facts: MachineFacts): Unfit[] {
  const { machine } = expected;
  const problems: Unfit[] = [];
  const add = (problem: string, remedy: string) => problems.push({ machine, problem, remedy });
  if (facts.unreachable !== undefined) {
    add(
      `does not answer over SSH: ${facts.unreachable}`,
      `check holdfast:machines.list.${machine} (sshHost, sshPort, hostKey) and that it accepts the key of holdfast:machines.privateKey; if it was deployed and is lost: make replace-machine MACHINE=${machine}`,
    );
    return problems;
  }
  if (facts.uid !== 0) {
    add(
      `the SSH user has uid ${facts.uid ?? "unknown"}, not 0`,
      `set holdfast:machines.list.${machine}.sshUser to root`,
    );
  }
  if (facts.engine === undefined) {
    add("its Docker engine does not answer", "install it (apt-get install docker.io) and start it");
  } else if (olderThan(facts.engine, oldestEngine)) {
    add(`its Docker engine is ${facts.engine}`, `upgrade it to ${oldestEngine} or newer`);
  }
  const offset = facts.clockOffset;
  if (offset === undefined || Math.abs(offset) - facts.clockTolerance > clockAllowanceSeconds) {
    add(
      offset === undefined
        ? "its clock cannot be read"
        : `its clock is ${Math.abs(offset).toFixed(1)} s ${offset > 0 ? "ahead of" : "behind"} this computer's`,
      `synchronise both (apt-get install chrony); ${clockAllowanceSeconds} s are allowed`,
    );
  }
  if (facts.firewallProblem !== undefined) {
    add(
      `nft cannot load the firewall's rules: ${facts.firewallProblem}`,
      "install nftables (apt-get install nftables) and use a kernel with nf_tables and nf_conntrack",
    );
  }
  if (facts.missingSysctls.length > 0) {
    add(
      `its kernel lacks ${facts.missingSysctls.join(", ")}`,
      "load the module (modprobe nf_conntrack) and have it loaded at boot (/etc/modules-load.d)",
    );
  }
  problems.push(...interfaceProblems(expected, facts));
  return problems;
}

function interfaceProblems(expected: ExpectedMachine, facts: MachineFacts): Unfit[] {
  const { machine, address } = expected;
  const here = facts.addresses[expected.interface];
  if (here?.includes(address)) return [];
  const carrier = Object.entries(facts.addresses).find(([, list]) => list.includes(address))?.[0];
  const known = Object.keys(facts.addresses).filter((name) => name !== "lo");
  if (!here && !carrier) {
    return [
      {
        machine,
        problem: `it has no interface ${expected.interface} with an address, and ${address} on none`,
        remedy: `set holdfast:machines.list.${machine}.interface (it has ${known.join(", ") || "none"}) and .address`,
      },
    ];
  }
  return [
    {
      machine,
      problem: `interface ${expected.interface} does not carry ${address}${carrier ? `; ${carrier} does` : ""}`,
      remedy: carrier
        ? `set holdfast:machines.list.${machine}.interface to ${carrier}`
        : `set holdfast:machines.list.${machine}.address to one of ${here?.join(", ") || "its addresses"}`,
    },
  ];
}

function holderProblems(
  balancers: readonly MachineFacts[],
  expected: readonly ExpectedMachine[],
): Unfit[] {
  const own = new Set(
    balancers
      .flatMap(({ macAddresses }) => Object.values(macAddresses))
      .map((mac) => mac.toLowerCase()),
  );
  return balancers.flatMap(({ machine, holders, routedPeers }): Unfit[] => [
    ...Object.entries(holders)
      .filter(([, mac]) => !own.has(mac.toLowerCase()))
      .map(([vip, mac]) => ({
        machine,
        problem: `virtual address ${vip} is already held by a host with MAC address ${mac}`,
        remedy: "choose a free address (holdfast:loadBalancer.edgeVip, .internalVip)",
      })),
    ...routedPeers.map((peer) => ({
      machine,
      problem: `${peer} (${expected.find((other) => other.machine === peer)?.address ?? ""}) is behind a router as seen from it`,
      remedy:
        "put the load balancers' machines on one network segment: a virtual address moves within one only",
    })),
  ]);
}

/** Everything that makes the machines unfit, in the order of `expected`. */
export function unfitMachines(
  expected: readonly ExpectedMachine[],
  facts: readonly MachineFacts[],
): Unfit[] {
  const of = (machine: string) => facts.find((candidate) => candidate.machine === machine);
  const balancers = expected.flatMap(({ machine, balancer }) => {
    const seen = of(machine);
    return balancer && seen && seen.unreachable === undefined ? [seen] : [];
  });
  return [
    ...expected.flatMap((machine) => {
      const seen = of(machine.machine);
      return seen ? problemsOf(machine, seen) : [];
    }),
    ...holderProblems(balancers, expected),
  ];
}

/** What failed takeovers mean. */
export function takeoverProblems(takeovers: readonly Takeover[]): Unfit[] {
  return takeovers.flatMap(({ vip, holder, from, problem }) =>
    problem === undefined
      ? []
      : [
          {
            machine: holder,
            problem: `virtual address ${vip} put on it cannot be reached from ${from}: ${problem}`,
            remedy:
              "let the network carry addresses that the machines add (clouds call it address pairs, IP forwarding or disabled source check)",
          },
        ],
  );
}

/** One message for all of it. */
export function unfitMessage(problems: readonly Unfit[]): string {
  return [
    `the inventory is not ready (${problems.length} ${problems.length === 1 ? "problem" : "problems"}); nothing was changed:`,
    ...problems.map(({ machine, problem, remedy }) => `  ${machine}: ${problem}\n    ${remedy}`),
  ].join("\n");
}
