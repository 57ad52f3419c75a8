import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, decide, type Situation } from "../../agents/mysql/decide";
import { contains } from "../../agents/mysql/gtid";
import {
  available,
  hasQuorum,
  inGroup,
  isBlank,
  type DatabaseReport,
  type MemberReport,
} from "../../agents/mysql/state";
import { World } from "./support/mysqlWorld";

const group = "aaaaaaaa-0000-0000-0000-000000000001";
const addressOf = (node: string) => `10.0.0.${node.charCodeAt(6) - 96}`;

type Facts = Partial<Pick<MemberReport, "record" | "bootstrapRequested" | "stopping">> & {
  readonly state?: DatabaseReport["state"];
  /** Nodes in its group; `!` before one that it does not reach. */
  readonly view?: readonly string[];
  readonly holds?: string;
  readonly received?: string;
  readonly down?: boolean;
};

function member(node: string, facts: Facts = {}): MemberReport {
  const { view, holds = "", received = "", down = false } = facts;
  const { state = view ? "ONLINE" : "OFFLINE" } = facts;
  const members = (view ?? [node]).map((entry) => {
    const name = entry.replace("!", "");
    const seen = entry === name ? ("ONLINE" as const) : ("UNREACHABLE" as const);
    return {
      id: `id-${name}`,
      address: addressOf(name),
      state: name === node ? state : seen,
      role: null,
    };
  });
  return {
    node,
    startedAt: 0,
    generation: 0,
    record: facts.record ?? (holds + received === "" ? "blank" : "formed"),
    bootstrapRequested: facts.bootstrapRequested ?? false,
    stopping: facts.stopping ?? false,
    accountsApplied: false,
    database: down
      ? null
      : { id: `id-${node}`, state, role: null, members, executed: holds, received, applyQueue: 0 },
  };
}

/** What `self` decides; peers given as undefined do not answer. */
function decision(
  self: MemberReport,
  peers: Readonly<Record<string, MemberReport | undefined>>,
  forced = false,
) {
  return decide({
    address: addressOf(self.node),
    self,
    forced,
    peers: Object.entries(peers).map(([node, report]) => ({
      node,
      address: addressOf(node),
      report,
    })),
  });
}

const [a, b, c] = ["mysql-a", "mysql-b", "mysql-c"] as const;
const blank = (node: string, facts: Facts = {}) => member(node, facts);
const with5 = (node: string, facts: Facts = {}) =>
  member(node, { holds: `${group}:1-5`, ...facts });

describe("first start", () => {
  const requested = { bootstrapRequested: true };

  it("happens on the lowest key, once asked for, whoever was asked", () => {
    const peers = { [b]: blank(b), [c]: blank(c, requested) };
    expect(decision(blank(a), peers)).toMatchObject({ kind: "bootstrap", how: "first" });
    expect(decision(blank(b), { [a]: blank(a), [c]: blank(c, requested) })).toEqual({
      kind: "wait",
      forming: true,
      reason: "no group: waiting for mysql-a to start it",
    });
  });

  it("waits to be asked", () => {
    expect(decision(blank(a), { [b]: blank(b), [c]: blank(c) })).toMatchObject({
      kind: "wait",
      forming: true,
    });
  });

  it.each<[string, MemberReport | undefined]>([
    ["is silent", undefined],
    ["has no mysqld yet", blank(b, { down: true })],
  ])("waits while a peer %s", (_, peer) => {
    const decided = decision(blank(a, requested), { [b]: peer, [c]: blank(c) });
    expect(decided).toEqual({
      kind: "wait",
      forming: true,
      reason: "no group: mysql-b does not answer",
    });
  });

  it("waits while a peer has not given up an attempt of its own", () => {
    const peers = { [b]: blank(b, { state: "ERROR" }), [c]: blank(c) };
    expect(decision(blank(a, requested), peers)).toEqual({
      kind: "wait",
      forming: true,
      reason: "no group: mysql-b has not left its last one yet",
    });
  });

  it.each<[string, MemberReport]>([
    ["holds something", with5(b)],
    ["received something", member(b, { received: `${group}:1`, record: "blank" })],
    ["was in a group", blank(b, { record: "formed" })],
    ["was in a group and is silent", blank(b, { record: "formed", down: true })],
  ])("is none where a peer %s", (_, peer) => {
    const decided = decision(blank(a, requested), { [b]: peer, [c]: blank(c) });
    expect(decided.kind).not.toBe("bootstrap");
    expect(decided).not.toHaveProperty("forming");
  });

  it("of a member without peers needs the request, too", () => {
    expect(decision(blank(a), {}).kind).toBe("wait");
    expect(decision(blank(a, requested), {})).toMatchObject({ kind: "bootstrap", how: "first" });
  });

  it("cut short goes on by itself: nobody can have acknowledged anything", () => {
    const self = member(a, { holds: `${group}:1-3`, record: "started" });
    expect(decision(self, { [b]: blank(b), [c]: blank(c) })).toMatchObject({
      kind: "bootstrap",
      how: "reboot",
    });
  });
});

describe("start after a complete outage", () => {
  it("happens on the member that holds everything, executed or not", () => {
    const most = member(c, { holds: `${group}:1-5`, received: `${group}:4-9` });
    const less = { [a]: with5(a), [b]: with5(b) };
    expect(decision(most, less)).toMatchObject({ kind: "bootstrap", how: "reboot" });
    expect(decision(with5(a), { [b]: with5(b), [c]: most })).toEqual({
      kind: "wait",
      reason: "no group: waiting for mysql-c to start it",
    });
  });

  it("happens on the lowest key among equals", () => {
    expect(decision(with5(b), { [a]: with5(a), [c]: with5(c) }).kind).toBe("wait");
    expect(decision(with5(a), { [b]: with5(b), [c]: with5(c) }).kind).toBe("bootstrap");
  });

  it("of a member without peers happens by itself", () => {
    expect(decision(with5(a), {})).toMatchObject({ kind: "bootstrap", how: "reboot" });
  });

  it("bears one empty disk, not two", () => {
    expect(decision(with5(a), { [b]: with5(b), [c]: blank(c) }).kind).toBe("bootstrap");
    expect(decision(with5(a), { [b]: blank(b), [c]: blank(c) })).toEqual({
      kind: "ask",
      reason:
        "no group: only 1 of 3 members still have their disks, acknowledged writes may be lost",
    });
  });

  it("asks the operator where histories differ", () => {
    const other = member(b, { holds: `${group}:1-4,bbbbbbbb-0000-0000-0000-000000000001:1` });
    expect(decision(with5(a), { [b]: other, [c]: with5(c) })).toMatchObject({ kind: "ask" });
  });

  it.each<[string, MemberReport | undefined]>([
    ["is silent", undefined],
    ["has no mysqld yet", with5(b, { down: true })],
    ["has not left the old group", with5(b, { view: [b, "!mysql-a", "!mysql-c"] })],
    ["was expelled and has not left", with5(b, { state: "ERROR" })],
  ])("waits while a peer %s", (_, peer) => {
    expect(decision(with5(a), { [b]: peer, [c]: with5(c) }).kind).toBe("wait");
  });
});

describe("joining", () => {
  const running = with5(b, { view: [b, c] });
  const peers = { [b]: running, [c]: with5(c, { view: [b, c] }) };

  it("goes to a group with a majority", () => {
    expect(decision(member(a, { holds: `${group}:1-3` }), peers)).toEqual({
      kind: "join",
      reason: "mysql-b, mysql-c is in a group with a majority",
      members: ["10.0.0.2", "10.0.0.3"],
      blank: false,
    });
    expect(decision(blank(a), peers)).toMatchObject({ kind: "join", blank: true });
  });

  it("goes to a group of one whose others left in good order", () => {
    expect(decision(with5(a), { [b]: with5(b, { view: [b] }), [c]: undefined }).kind).toBe("join");
  });

  it("waits until the group has given up the previous run", () => {
    const holding = with5(b, { view: [b, c, "!mysql-a"] });
    expect(decision(with5(a), { [b]: holding, [c]: undefined })).toEqual({
      kind: "wait",
      reason: "mysql-b still counts its previous run as a member",
    });
  });

  it("is not for a member that holds what the group lacks", () => {
    const decided = decision(member(a, { holds: `${group}:1-7` }), peers);
    expect(decided).toEqual({
      kind: "ask",
      reason: `holds 2 transactions that the group lacks (${group}:6-7): save them, then replace its disk`,
    });
  });

  it("counts what members received but did not execute", () => {
    const receiving = member(b, {
      holds: `${group}:1-5`,
      received: `${group}:6-7`,
      view: [b, c],
    });
    const self = member(a, { holds: `${group}:1-7` });
    expect(decision(self, { [b]: receiving, [c]: undefined }).kind).toBe("join");
  });

  it("chooses none of two groups", () => {
    const decided = decision(with5(a), {
      [b]: with5(b, { view: [b] }),
      [c]: with5(c, { view: [c] }),
    });
    expect(decided.kind).toBe("ask");
  });

  it("waits for a group that has no ONLINE member yet", () => {
    const starting = with5(b, { state: "RECOVERING", view: [b] });
    expect(decision(with5(a), { [b]: starting, [c]: undefined }).kind).toBe("wait");
  });
});

describe("in a group", () => {
  it("stays with the majority", () => {
    const self = with5(a, { view: [a, b, "!mysql-c"] });
    expect(decision(self, { [b]: undefined, [c]: undefined }).kind).toBe("stay");
  });

  const cut = with5(a, { view: [a, "!mysql-b", "!mysql-c"] });

  it("without a majority waits for silent members", () => {
    expect(decision(cut, { [b]: undefined, [c]: with5(c) })).toEqual({
      kind: "wait",
      reason: "no majority, mysql-b does not answer",
    });
  });

  it("without a majority leaves once the others run and are in no group", () => {
    expect(decision(cut, { [b]: with5(b), [c]: with5(c) }).kind).toBe("leave");
  });

  it("without a majority waits for those who are still in the group", () => {
    const apart = with5(c, { view: ["!mysql-a", "!mysql-b", c] });
    expect(decision(cut, { [b]: with5(b), [c]: apart }).kind).toBe("wait");
  });

  it("without a majority leaves when the group went on without it", () => {
    expect(decision(cut, { [b]: with5(b, { view: [b, c] }), [c]: undefined }).kind).toBe("leave");
  });

  it("leaves in order to come back where it was expelled", () => {
    const expelled = with5(a, { state: "ERROR" });
    expect(decision(expelled, { [b]: undefined })).toMatchObject({ kind: "leave", alone: true });
    expect(decision(expelled, { [b]: with5(b, { view: [b, c] }) })).toMatchObject({
      kind: "leave",
      alone: false,
    });
  });
});

describe("the operator's choice", () => {
  it("goes past silent members, lost disks and other histories", () => {
    for (const peer of [undefined, blank(b), member(b, { holds: `${group}:1-9` })]) {
      expect(decision(with5(a), { [b]: peer, [c]: undefined }, true)).toMatchObject({
        kind: "bootstrap",
        how: "forced",
      });
    }
  });

  it("leaves a group without a majority first", () => {
    const cut = with5(a, { view: [a, "!mysql-b", "!mysql-c"] });
    expect(decision(cut, { [b]: undefined, [c]: undefined }, true).kind).toBe("leave");
  });

  it("does not go past a group that works", () => {
    const peers = { [b]: with5(b, { view: [b, c] }), [c]: undefined };
    expect(decision(with5(a), peers, true).kind).toBe("join");
    expect(decision(with5(a, { view: [a, b] }), peers, true).kind).toBe("stay");
  });

  it("does not begin with nothing where a member holds something", () => {
    expect(decision(blank(a), { [b]: with5(b), [c]: undefined }, true).kind).toBe("ask");
    expect(decision(blank(a), { [b]: undefined, [c]: undefined }, true).kind).toBe("bootstrap");
  });
});

it("attempts follow each other ever more slowly, up to half a minute", () => {
  expect([0, 1, 2, 3, 5, 6, 99].map(backoffMs)).toEqual([
    0, 1000, 2000, 4000, 16_000, 30_000, 30_000,
  ]);
});

describe("over all states", () => {
  const nodes = [a, b, c];
  type Standing = "none" | "error" | "in" | "down";
  const facts = (...standings: Standing[]) =>
    fc.record({
      standing: fc.constantFrom(...standings),
      holds: fc.constantFrom("", `${group}:1-3`, `${group}:1-5`, `${group}:1-4:6`),
      received: fc.constantFrom("", `${group}:1-6`),
      record: fc.constantFrom<MemberReport["record"]>("blank", "started", "formed"),
      bootstrapRequested: fc.boolean(),
      stopping: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.boolean()),
    });
  const any = facts("none", "error", "in", "in", "down");

  /** A state of the whole that can be: one group at most, of those `in` and some that are gone. */
  const worlds = fc
    .record({
      // Outages, in which a group may be started, and all the rest.
      members: fc.oneof(
        fc.tuple(facts("none"), facts("none"), facts("none", "none", "error", "down")),
        fc.tuple(any, any, any),
      ),
      gone: fc.subarray([...nodes]),
      answers: fc.oneof(
        fc.constant(Array.from({ length: 9 }, () => true)),
        fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }),
      ),
    })
    .map(({ members, gone, answers }) => {
      const inside = nodes.filter((_, index) => members[index]!.standing === "in");
      const outside = nodes.filter((node) => !inside.includes(node) && gone.includes(node));
      const view = [...inside, ...outside.map((node) => `!${node}`)];
      const reports = members.map(({ standing, ...rest }, index) =>
        member(nodes[index]!, {
          ...rest,
          down: standing === "down",
          ...(standing === "in" && { view }),
          ...(standing === "error" && { state: "ERROR" as const }),
        }),
      );
      return reports.map((self, index): Situation => ({
        address: addressOf(self.node),
        self,
        forced: false,
        peers: reports
          .filter((other) => other !== self)
          .map((report, other) => ({
            node: report.node,
            address: addressOf(report.node),
            report: answers[index * 3 + other] ? report : undefined,
          })),
      }));
    });

  const runs = { numRuns: 3000 };

  it("at most one member starts a group, and none while a member is in one", () => {
    let started = 0;
    fc.assert(
      fc.property(worlds, (situations) => {
        const starts = situations.filter((one) => decide(one).kind === "bootstrap");
        started += starts.length;
        expect(starts.length).toBeLessThanOrEqual(1);
        const inside = situations.some(({ self }) => self.database && inGroup(self.database));
        if (inside) expect(starts).toEqual([]);
      }),
      runs,
    );
    expect(started).toBeGreaterThan(100);
  });

  it("starts need every member's word, and leave no transaction behind", () => {
    fc.assert(
      fc.property(worlds, (situations) => {
        for (const situation of situations) {
          const decided = decide(situation);
          if (decided.kind !== "bootstrap") continue;
          const { self, peers } = situation;
          const others = peers.map(({ report }) => report);
          expect(others.every((report) => report?.database?.state === "OFFLINE")).toBe(true);
          for (const report of others) {
            expect(contains(available(self.database!), available(report!.database!))).toBe(true);
          }
          if (decided.how === "first") {
            expect([self, ...others].every((report) => isBlank(report!))).toBe(true);
            expect([self, ...others].some((report) => report!.bootstrapRequested)).toBe(true);
          }
        }
      }),
      runs,
    );
  });

  it("nobody leaves a majority, and nobody joins anything less or brings what the group lacks", () => {
    fc.assert(
      fc.property(worlds, (situations) => {
        for (const situation of situations) {
          const decided = decide(situation);
          const own = situation.self.database;
          if (decided.kind === "leave") expect(hasQuorum(own!)).toBe(false);
          if (decided.kind !== "join") continue;
          const donors = situation.peers.filter(({ address }) => decided.members.includes(address));
          expect(donors.length).toBeGreaterThan(0);
          for (const { report } of donors) expect(hasQuorum(report!.database!)).toBe(true);
          const held = donors.map(({ report }) => available(report!.database!));
          const single = held.some((set) => contains(set, available(own!)));
          expect(single || held.length > 1).toBe(true);
        }
      }),
      runs,
    );
  });
});

describe("agents against each other", () => {
  const events = fc.array(
    fc.tuple(
      fc.constantFrom(
        "tick",
        "tick",
        "tick",
        "write",
        "write",
        "exchange",
        "exchange",
        "expel",
        "expel",
        "give up",
        "crash",
        "start",
        "start",
        "stop",
        "cut",
        "heal",
        "wipe",
      ),
      fc.nat({ max: 8 }),
    ),
    { minLength: 20, maxLength: 150 },
  );

  function play(world: World, [event, index]: readonly [string, number]): void {
    const chosen = world.at(index);
    switch (event) {
      case "tick":
        world.tick(chosen);
        break;
      case "write":
        world.write(chosen);
        break;
      case "exchange":
        world.exchangeReports();
        break;
      case "expel":
        world.expel();
        break;
      case "give up":
        world.giveUp(chosen);
        break;
      case "crash":
        world.crash(chosen);
        break;
      case "stop":
        world.leave(chosen);
        world.crash(chosen);
        break;
      case "start":
        world.start(chosen);
        break;
      case "cut":
        chosen.network = 1 + (index % 2);
        break;
      case "heal":
        chosen.network = 0;
        break;
      case "wipe":
        world.wipe(chosen);
        break;
    }
  }

  /** Everything is repaired, and the agents are left to themselves. */
  function recover(world: World): void {
    for (const member of world.members) {
      member.network = 0;
      world.start(member);
    }
    for (let round = 0; round < 30; round += 1) {
      world.exchangeReports();
      for (const member of world.members) world.tick(member);
      world.expel();
    }
  }

  function formed(size: number): World {
    const world = new World(size);
    world.at(0).requested = true;
    recover(world);
    return world;
  }

  it.each([1, 3, 5])("%d members form one group", (size) => {
    const world = formed(size);
    expect(world.groups()).toEqual([world.members.map(({ node }) => node).join(" ")]);
    expect(world.decisions.filter(({ decision: { kind } }) => kind === "bootstrap")).toHaveLength(
      1,
    );
  });

  it.each([3, 5])("%d members never make two groups, lose nothing and come back", (size) => {
    fc.assert(
      fc.property(events, (script) => {
        const world = formed(size);
        for (const event of script) {
          play(world, event);
          world.gossip();
          expect(world.groups().length).toBeLessThanOrEqual(1);
        }
        for (const member of world.members) world.giveUp(member);
        recover(world);
        expect(world.groups()).toEqual([world.members.map(({ node }) => node).join(" ")]);
        for (const { holds } of world.members) {
          expect(holds).toBeGreaterThanOrEqual(world.acknowledged);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
