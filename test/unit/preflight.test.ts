import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  takeoverProblems,
  unfitMachines,
  unfitMessage,
  type ExpectedMachine,
  type MachineFacts,
} from "../../model/preflight";
import { factsScript, parseFacts } from "../../operations/preflight";

const expected = (machine: string, address: string, balancer = true): ExpectedMachine => ({
  machine,
  address,
  interface: "eth0",
  balancer,
});
const pair = [expected("one", "10.0.0.11"), expected("two", "10.0.0.12")];
const fit = (machine: string, address: string): MachineFacts => ({
  machine,
  unreachable: undefined,
  uid: 0,
  engine: "26.1.5+dfsg1",
  clockOffset: 0.1,
  clockTolerance: 0.05,
  firewallProblem: undefined,
  missingSysctls: [],
  addresses: { lo: ["127.0.0.1"], eth0: [address] },
  macAddresses: { eth0: `02:00:00:00:00:${address.slice(-2)}` },
  holders: {},
  routedPeers: [],
});
const one = fit("one", "10.0.0.11");
const two = fit("two", "10.0.0.12");

describe("machines of an inventory", () => {
  it("are fit", () => {
    expect(unfitMachines(pair, [one, two])).toEqual([]);
  });

  it("are fit while a load balancer of this stack holds the virtual address", () => {
    const seen = { ...two, holders: { "10.0.0.5": "02:00:00:00:00:11" } };
    expect(unfitMachines(pair, [one, seen])).toEqual([]);
  });

  it.each<[string, Partial<MachineFacts>, string]>([
    ["another user", { uid: 1000 }, "the SSH user has uid 1000, not 0"],
    ["no engine", { engine: undefined }, "its Docker engine does not answer"],
    ["an old engine", { engine: "19.03.15" }, "its Docker engine is 19.03.15"],
    ["a clock ahead", { clockOffset: 2.2 }, "its clock is 2.2 s ahead of this computer's"],
    ["a clock behind", { clockOffset: -60 }, "its clock is 60.0 s behind this computer's"],
    ["no clock", { clockOffset: undefined }, "its clock cannot be read"],
    [
      "no nft",
      { firewallProblem: "nft is missing" },
      "nft cannot load the firewall's rules: nft is missing",
    ],
    ["no conntrack", { missingSysctls: ["net.netfilter.x"] }, "its kernel lacks net.netfilter.x"],
    [
      "the address elsewhere",
      { addresses: { eth0: ["10.9.9.9"], eth1: ["10.0.0.11"] } },
      "interface eth0 does not carry 10.0.0.11; eth1 does",
    ],
    [
      "another address",
      { addresses: { eth0: ["10.0.0.99"] } },
      "interface eth0 does not carry 10.0.0.11",
    ],
    [
      "no such interface",
      { addresses: { lo: ["127.0.0.1"], ens3: ["10.0.0.99"] } },
      "it has no interface eth0 with an address, and 10.0.0.11 on none",
    ],
    [
      "a virtual address that is taken",
      { holders: { "10.0.0.5": "aa:bb:cc:dd:ee:ff" } },
      "virtual address 10.0.0.5 is already held by a host with MAC address aa:bb:cc:dd:ee:ff",
    ],
    [
      "a routed peer",
      { routedPeers: ["two"] },
      "two (10.0.0.12) is behind a router as seen from it",
    ],
  ])("with %s are refused", (_, change, problem) => {
    const problems = unfitMachines(pair, [{ ...one, ...change }, two]);
    expect(problems.map((unfit) => [unfit.machine, unfit.problem])).toEqual([["one", problem]]);
    expect(problems[0]?.remedy).toMatch(/\w/);
  });

  it("may be as far off as asking takes", () => {
    const slow = { ...one, clockOffset: 2.5, clockTolerance: 0.6 };
    expect(unfitMachines(pair, [slow, two])).toEqual([]);
  });

  it("that do not answer are named once", () => {
    const silent = { ...one, unreachable: "Connection refused", uid: undefined, engine: undefined };
    expect(unfitMachines(pair, [silent, two]).map(({ problem }) => problem)).toEqual([
      "does not answer over SSH: Connection refused",
    ]);
  });

  it("are named all at once, with what to do", () => {
    const problems = unfitMachines(pair, [
      { ...one, uid: 1000 },
      { ...two, engine: undefined },
    ]);
    expect(unfitMessage(problems)).toBe(
      [
        "the inventory is not ready (2 problems); nothing was changed:",
        "  one: the SSH user has uid 1000, not 0",
        "    set holdfast:machines.list.one.sshUser to root",
        "  two: its Docker engine does not answer",
        "    install it (apt-get install docker.io) and start it",
      ].join("\n"),
    );
  });
});

describe("a virtual address", () => {
  const takeover = { vip: "10.0.0.5", holder: "one", from: "two" };

  it("that moves is fine, one that does not names the network", () => {
    expect(takeoverProblems([{ ...takeover, problem: undefined }])).toEqual([]);
    expect(takeoverProblems([{ ...takeover, problem: "nothing answers within 4 s" }])).toEqual([
      {
        machine: "one",
        problem:
          "virtual address 10.0.0.5 put on it cannot be reached from two: nothing answers within 4 s",
        remedy:
          "let the network carry addresses that the machines add (clouds call it address pairs, IP forwarding or disabled source check)",
      },
    ]);
  });
});

describe("facts", () => {
  it("are read from what the script prints", () => {
    const output = [
      "time\t1000.75",
      "uid\t0",
      "engine\t26.1.5",
      "firewall\tnft is missing",
      "sysctl\tnet.a",
      "sysctl\tnet.b",
      "address\tlo 127.0.0.1",
      "address\teth0 10.0.0.11",
      "address\teth0 10.0.0.12",
      "mac\teth0 02:00:00:00:00:11",
      "mac\ttun0 ",
      "routed\ttwo",
      "holder\t10.0.0.5 aa:bb:cc:dd:ee:ff",
      "containers\t0",
    ].join("\n");
    expect(parseFacts("one", output, 1000, 1001)).toEqual({
      machine: "one",
      unreachable: undefined,
      uid: 0,
      engine: "26.1.5",
      clockOffset: 0.25,
      clockTolerance: 0.5,
      firewallProblem: "nft is missing",
      missingSysctls: ["net.a", "net.b"],
      addresses: { lo: ["127.0.0.1"], eth0: ["10.0.0.11", "10.0.0.12"] },
      macAddresses: { eth0: "02:00:00:00:00:11" },
      holders: { "10.0.0.5": "aa:bb:cc:dd:ee:ff" },
      routedPeers: ["two"],
    });
  });

  it("are unknown where the machine printed nothing", () => {
    expect(parseFacts("one", "", 0, 0)).toMatchObject({ uid: undefined, engine: undefined });
  });

  it("come from a script that bash accepts", () => {
    const script = factsScript([{ machine: "two", address: "10.0.0.12" }], ["10.0.0.5"]);
    expect(() => execFileSync("bash", ["-n"], { input: script })).not.toThrow();
    expect(() => execFileSync("bash", ["-n"], { input: factsScript([], []) })).not.toThrow();
  });
});
