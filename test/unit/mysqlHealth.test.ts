import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  clientsWanted,
  demotedGraceMs,
  freshMs,
  health,
  heardPeers,
  mayRecord,
  noTrust,
  observed,
  pauseMs,
  type AskedPeer,
  type HealthInput,
  type Observation,
  type Trust,
} from "../../agents/mysql/health";
import {
  memberRoles,
  memberStates,
  type DatabaseReport,
  type MemberReport,
} from "../../agents/mysql/state";

const ids = ["id-a", "id-b", "id-c"] as const;

/** Member `id-a` of three, all ONLINE, the first of them the primary. */
function database(change: Partial<DatabaseReport> = {}): DatabaseReport {
  return {
    id: "id-a",
    state: "ONLINE",
    role: "PRIMARY",
    members: ids.map((id, index) => ({
      id,
      address: `10.0.0.${index + 1}`,
      state: "ONLINE",
      role: index === 0 ? "PRIMARY" : "SECONDARY",
    })),
    executed: "",
    received: "",
    applyQueue: 0,
    ...change,
  };
}

const observation = (change: Partial<Observation> = {}): Observation => ({
  database: database(),
  superReadOnly: false,
  offlineMode: false,
  askedAt: 10_000,
  ...change,
});

const secondary = (change: Partial<DatabaseReport> = {}) =>
  observation({
    database: database({
      role: "SECONDARY",
      members: database().members.map((member, index) => ({
        ...member,
        role: index === 1 ? "PRIMARY" : "SECONDARY",
      })),
      ...change,
    }),
    superReadOnly: true,
  });

const trusted: Trust = { lastAskedAt: 10_000, pausedUntil: 0, confirmed: true };

const input = (change: Partial<HealthInput> = {}): HealthInput => ({
  now: 10_100,
  observation: observation(),
  trust: trusted,
  peers: [],
  configured: 3,
  alone: false,
  recorded: true,
  stopping: "no",
  demotedAt: undefined,
  maxApplyQueue: 10,
  ...change,
});

const statuses = (change: Partial<HealthInput> = {}) => {
  const { primary, replica } = health(input(change));
  return [primary.status, replica.status];
};

const seeing = (states: readonly DatabaseReport["state"][]) =>
  database({
    members: database().members.map((member, index) => ({ ...member, state: states[index]! })),
  });

describe("health", () => {
  it("lets a primary have writes and a secondary reads", () => {
    expect(statuses()).toEqual([200, 503]);
    expect(statuses({ observation: secondary() })).toEqual([503, 200]);
  });

  it.each<[string, Partial<HealthInput>]>([
    ["knows nothing", { observation: undefined }],
    ["knows only what was", { now: 10_000 + freshMs + 1 }],
    ["has a clock that went back", { now: 9_999 }],
    ["is not confirmed", { trust: { ...trusted, confirmed: false } }],
    ["has not recorded that it serves", { recorded: false }],
    ["is leaving", { stopping: "leaving" }],
    ["is in offline mode", { observation: observation({ offlineMode: true }) }],
    ["is read-only", { observation: observation({ superReadOnly: true }) }],
    ["is expelled", { observation: observation({ database: database({ state: "ERROR" }) }) }],
    [
      "reaches no majority",
      { observation: observation({ database: seeing(["ONLINE", "UNREACHABLE", "UNREACHABLE"]) }) },
    ],
    [
      "is left over by members that left in good order",
      {
        observation: observation({
          database: database({ members: database().members.slice(0, 1) }),
        }),
      },
    ],
    [
      "has others that only copy data yet",
      { observation: observation({ database: seeing(["ONLINE", "RECOVERING", "RECOVERING"]) }) },
    ],
    ["has no role", { observation: observation({ database: database({ role: null }) }) }],
  ])("is closed while the member %s", (_, change) => {
    expect(statuses(change)).toEqual([503, 503]);
  });

  it("bears the loss of a minority", () => {
    const two = observation({ database: seeing(["ONLINE", "ONLINE", "UNREACHABLE"]) });
    expect(statuses({ observation: two })).toEqual([200, 503]);
    const left = observation({ database: database({ members: database().members.slice(0, 2) }) });
    expect(statuses({ observation: left })).toEqual([200, 503]);
  });

  it("of a member that is the only one needs nobody else", () => {
    const only = observation({ database: database({ members: database().members.slice(0, 1) }) });
    expect(statuses({ observation: only, configured: 1 })).toEqual([200, 503]);
  });

  it("lets sessions end where a member stops, lags or was demoted", () => {
    expect(statuses({ stopping: "draining" })).toEqual([404, 503]);
    expect(statuses({ stopping: "draining", observation: secondary() })).toEqual([503, 404]);
    expect(statuses({ observation: secondary({ applyQueue: 11 }) })).toEqual([503, 404]);
    expect(statuses({ observation: secondary(), demotedAt: 10_000 })).toEqual([404, 200]);
    expect(statuses({ observation: secondary(), demotedAt: 10_100 - demotedGraceMs })).toEqual([
      503, 200,
    ]);
  });

  describe("by the operator's choice", () => {
    const only = observation({ database: database({ members: database().members.slice(0, 1) }) });
    const stranger = (members: DatabaseReport["members"]): AskedPeer =>
      peer(database({ id: "id-b", members }), 0);

    it("does without a majority, unless the others turn out to have one", () => {
      expect(statuses({ observation: only, alone: true })).toEqual([200, 503]);
      const others = database().members.slice(1);
      expect(statuses({ observation: only, alone: true, peers: [stranger(others)] })).toEqual([
        503, 503,
      ]);
      const [a, b] = database().members;
      expect(statuses({ observation: only, alone: true, peers: [stranger([a!, b!])] })).toEqual([
        200, 503,
      ]);
    });
  });

  it("is never 200 unless everything is known, fresh and right", () => {
    /** Mostly what it should be: only then is anything ever open. */
    const mostly = <T>(value: T, other: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 9, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other });
    const state = mostly<DatabaseReport["state"]>("ONLINE", fc.constantFrom(...memberStates));
    const time = mostly(10_000, fc.integer({ min: 8_000, max: 13_000 }));
    const arbitrary = fc.record<HealthInput>({
      now: time,
      observation: fc.option(
        fc.record({
          database: fc
            .record({
              state,
              role: fc.constantFrom(...memberRoles, null),
              members: fc.array(state, { minLength: 1, maxLength: 3 }),
              applyQueue: fc.integer({ min: 0, max: 20 }),
            })
            .map(({ members, ...rest }) =>
              database({
                ...rest,
                members: members.map((other, index) => ({
                  ...database().members[index]!,
                  state: index === 0 ? rest.state : other,
                })),
              }),
            ),
          superReadOnly: fc.boolean(),
          offlineMode: mostly(false, fc.boolean()),
          askedAt: time,
        }),
        { nil: undefined },
      ),
      trust: mostly(true, fc.boolean()).map((confirmed) => ({ ...trusted, confirmed })),
      peers: fc.constant([]),
      configured: fc.constantFrom(1, 3),
      alone: fc.constant(false),
      recorded: mostly(true, fc.boolean()),
      stopping: mostly<HealthInput["stopping"]>("no", fc.constantFrom("draining", "leaving")),
      demotedAt: fc.option(time, { nil: undefined }),
      maxApplyQueue: fc.constant(10),
    });
    const open = { primary: 0, replica: 0 };
    fc.assert(
      fc.property(arbitrary, (given) => {
        const { primary, replica } = health(given);
        expect(primary.status === 200 && replica.status === 200).toBe(false);
        for (const [role, { status }] of Object.entries({ primary, replica })) {
          if (status !== 200) continue;
          open[role as keyof typeof open] += 1;
          const seen = given.observation!;
          expect(given.now - seen.askedAt).toBeLessThanOrEqual(freshMs);
          expect(given.now).toBeGreaterThanOrEqual(seen.askedAt);
          const online = seen.database.members.filter(({ state }) => state === "ONLINE").length;
          expect(online * 2).toBeGreaterThan(given.configured);
          const reached = seen.database.members.filter(
            ({ state }) => state === "ONLINE" || state === "RECOVERING",
          ).length;
          expect(reached * 2).toBeGreaterThan(seen.database.members.length);
          expect([seen.database.state, seen.offlineMode, given.stopping]).toEqual([
            "ONLINE",
            false,
            "no",
          ]);
          expect(given.recorded && given.trust.confirmed).toBe(true);
          if (role === "primary") {
            expect([seen.database.role, seen.superReadOnly]).toEqual(["PRIMARY", false]);
          } else {
            expect(seen.database.role).toBe("SECONDARY");
            expect(seen.database.applyQueue).toBeLessThanOrEqual(given.maxApplyQueue);
          }
        }
      }),
      { numRuns: 20_000 },
    );
    expect(Math.min(open.primary, open.replica)).toBeGreaterThan(20);
  });
});

describe("clients", () => {
  const closedOff = observation({ offlineMode: true });

  it("are let in where everything else is right", () => {
    expect(clientsWanted(input({ observation: closedOff }))).toBe(true);
    expect(
      clientsWanted(input({ observation: closedOff, trust: { ...trusted, confirmed: false } })),
    ).toBeUndefined();
    expect(clientsWanted(input({ observation: closedOff, stopping: "draining" }))).toBeUndefined();
  });

  it("are sent away where too few members are left, as mysqld would go on", () => {
    const left = observation({ database: database({ members: database().members.slice(0, 1) }) });
    expect(clientsWanted(input({ observation: left }))).toBe(false);
    expect(clientsWanted(input({ observation: left, alone: true }))).toBe(true);
  });

  it("keep being served without a word where an observation is late", () => {
    expect(clientsWanted(input({ now: 20_000 }))).toBeUndefined();
  });

  it("are served only once that is on disk", () => {
    const unrecorded = input({ observation: closedOff, recorded: false });
    expect(mayRecord(unrecorded)).toBe(true);
    expect(clientsWanted(unrecorded)).toBeUndefined();
    expect(mayRecord({ ...unrecorded, trust: { ...trusted, confirmed: false } })).toBe(false);
  });
});

function peer(report: DatabaseReport | null, askedAt: number): AskedPeer {
  const member: MemberReport = {
    node: "mysql-b",
    startedAt: 0,
    generation: 0,
    record: "formed",
    bootstrapRequested: false,
    stopping: false,
    accountsApplied: false,
    database: report,
  };
  return { node: "mysql-b", address: "10.0.0.2", report: member, askedAt };
}

describe("trust in one's own mysqld", () => {
  const agreeing = database({ id: "id-b", role: "SECONDARY" });
  const after = (...askedAt: number[]) =>
    askedAt.reduce((trust, at) => observed(trust, observation({ askedAt: at }), at + 5), noTrust);

  it("needs a majority's word at first and after a pause, not in between", () => {
    const first = after(0);
    expect(first).toMatchObject({ confirmed: false, pausedUntil: 5 });
    const confirmed = heardPeers(first, database(), [peer(agreeing, 6)], 2);
    expect(confirmed.confirmed).toBe(true);
    expect(observed(confirmed, observation({ askedAt: 200 }), 210).confirmed).toBe(true);
    const paused = observed(confirmed, observation({ askedAt: 30_000 }), 30_010);
    expect(paused).toMatchObject({ confirmed: false, pausedUntil: 30_010 });
  });

  it("is lost where mysqld stood still in the middle of an answer", () => {
    const confirmed: Trust = { lastAskedAt: 0, pausedUntil: 0, confirmed: true };
    expect(observed(confirmed, observation({ askedAt: 200 }), pauseMs + 1).confirmed).toBe(false);
    expect(observed(confirmed, observation({ askedAt: 200 }), pauseMs).confirmed).toBe(true);
  });

  const paused: Trust = { lastAskedAt: 1_000, pausedUntil: 1_000, confirmed: false };

  it.each<[string, readonly AskedPeer[]]>([
    ["nobody's", []],
    ["what was said before", [peer(agreeing, 999)]],
    ["a silent mysqld's", [peer(null, 1_001)]],
    ["that of one without a majority", [peer({ ...agreeing, state: "ERROR" }, 1_001)]],
    [
      "that of a group that went on",
      [peer({ ...agreeing, members: agreeing.members.slice(1) }, 1_001)],
    ],
    [
      "that of one that sees another role",
      [
        peer(
          {
            ...agreeing,
            members: agreeing.members.map((member) => ({ ...member, role: "SECONDARY" })),
          },
          1_001,
        ),
      ],
    ],
    [
      "that of one that does not reach it",
      [
        peer(
          {
            ...agreeing,
            members: agreeing.members.map((member, index) => ({
              ...member,
              state: index === 0 ? "UNREACHABLE" : "ONLINE",
            })),
          },
          1_001,
        ),
      ],
    ],
  ])("does not come back by %s word", (_, peers) => {
    expect(heardPeers(paused, database(), peers, 2).confirmed).toBe(false);
  });

  it("comes back by a majority, also for a member of one", () => {
    expect(heardPeers(paused, database(), [peer(agreeing, 1_000)], 2).confirmed).toBe(true);
    expect(heardPeers(paused, database(), [peer(agreeing, 1_000)], 3).confirmed).toBe(false);
    expect(heardPeers(paused, database(), [], 1).confirmed).toBe(true);
    expect(heardPeers(paused, database({ state: "OFFLINE" }), [], 1).confirmed).toBe(false);
  });
});
