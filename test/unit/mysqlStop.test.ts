import { describe, expect, it } from "vitest";
import type { DatabaseReport, MemberReport, Peer } from "../../agents/mysql/state";
import { nextStop, noticeMs, successor, type StopFacts } from "../../agents/mysql/stop";

const roles = { a: "PRIMARY", b: "SECONDARY", c: "SECONDARY" } as const;
type Key = keyof typeof roles;

const database = (id: Key, change: Partial<DatabaseReport> = {}): DatabaseReport => ({
  id,
  state: "ONLINE",
  role: roles[id],
  members: (Object.keys(roles) as Key[]).map((member) => ({
    id: member,
    address: member,
    state: "ONLINE",
    role: roles[member],
  })),
  executed: "",
  received: "",
  applyQueue: 0,
  ...change,
});

const peer = (
  id: Key,
  change: Partial<DatabaseReport> = {},
  report: Partial<MemberReport> = {},
): Peer => ({
  node: id,
  address: id,
  report: {
    node: id,
    startedAt: 0,
    generation: 0,
    record: "formed",
    bootstrapRequested: false,
    stopping: false,
    accountsApplied: false,
    database: database(id, change),
    ...report,
  },
});

const facts = (change: Partial<StopFacts> = {}): StopFacts => ({
  elapsedMs: 0,
  drainMs: 30_000,
  own: database("a"),
  successor: "b",
  sessions: 3,
  ...change,
});

describe("the successor", () => {
  it("is the secondary that started last, of those that have caught up", () => {
    const own = database("a");
    expect(successor(own, [peer("b", {}, { startedAt: 1 }), peer("c", {}, { startedAt: 2 })])).toBe(
      "c",
    );
    const lagging = peer("c", { applyQueue: 101 }, { startedAt: 2 });
    expect(successor(own, [peer("b"), lagging])).toBe("b");
    expect(successor(own, [lagging])).toBeUndefined();
  });

  it.each<[string, Peer]>([
    ["stops itself", peer("b", {}, { stopping: true })],
    ["is silent", { node: "b", address: "b", report: undefined }],
    ["has no mysqld", peer("b", {}, { database: null })],
    ["only copies data yet", peer("b", { state: "RECOVERING" })],
  ])("is nobody who %s", (_, candidate) => {
    expect(successor(database("a"), [candidate])).toBeNull();
  });

  it("is nobody whom the primary does not reach", () => {
    const own = database("a", {
      members: database("a").members.map((member) =>
        member.id === "b" ? { ...member, state: "UNREACHABLE" } : member,
      ),
    });
    expect(successor(own, [peer("b")])).toBeNull();
  });
});

describe("a planned stop", () => {
  it("hands the primary over, and waits for a successor to catch up", () => {
    expect(nextStop("handing over", facts())).toEqual({ phase: "handing over", handOverTo: "b" });
    expect(nextStop("handing over", facts({ successor: undefined }))).toEqual({
      phase: "handing over",
    });
  });

  it.each<[string, Partial<StopFacts>]>([
    ["is a secondary", { own: database("b") }],
    ["has nobody to hand over to", { successor: null }],
    ["has waited for long", { elapsedMs: 10_000, successor: undefined }],
    ["may not wait any more", { drainMs: 0 }],
    ["has no mysqld", { own: null }],
    ["is in no group", { own: database("a", { state: "OFFLINE" }) }],
  ])("goes on without a hand-over where the member %s", (_, change) => {
    expect(nextStop("handing over", facts(change))).toEqual({ phase: "draining" });
  });

  it("lets sessions end, but not for ever", () => {
    const drained = (change: Partial<StopFacts>) => nextStop("draining", facts(change)).phase;
    expect(drained({ elapsedMs: noticeMs })).toBe("draining");
    expect(drained({ elapsedMs: noticeMs, sessions: 0 })).toBe("leaving");
    expect(drained({ elapsedMs: noticeMs, sessions: undefined })).toBe("draining");
    expect(drained({ drainMs: 0 })).toBe("leaving");
    expect(drained({ own: null })).toBe("leaving");
  });

  it("waits until the load balancers have noticed", () => {
    expect(nextStop("draining", facts({ elapsedMs: noticeMs - 1, sessions: 0 })).phase).toBe(
      "draining",
    );
    expect(nextStop("leaving", facts({ elapsedMs: noticeMs - 1 })).phase).toBe("leaving");
    expect(nextStop("leaving", facts({ elapsedMs: noticeMs })).phase).toBe("ending");
    expect(nextStop("leaving", facts({ own: null })).phase).toBe("ending");
    expect(nextStop("ending", facts()).phase).toBe("ending");
  });
});
