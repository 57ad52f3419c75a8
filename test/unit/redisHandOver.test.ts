import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  handOver,
  handOverBegin,
  announceMs,
  type HandOverSituation,
  type HandOverState,
} from "../../agents/redis/handOver";
import { at } from "./support/redis";

describe("hand-over", () => {
  const seen = (change: Partial<HandOverSituation>): HandOverSituation => ({
    elapsedMs: 0,
    budgetMs: 10_000,
    self: at(0),
    role: "master",
    onlineReplicas: 2,
    peersAnswer: true,
    caughtUp: false,
    promoted: undefined,
    agreed: at(0),
    ...change,
  });
  function play(...steps: readonly Partial<HandOverSituation>[]) {
    let state: HandOverState = handOverBegin;
    const actions = steps.map((step) => {
      const next = handOver(state, seen(step));
      state = next.state;
      return next.actions.map(({ kind }) => kind).join(", ");
    });
    return { actions, phase: state.phase, outcome: state.outcome };
  }

  it("refuses writes, waits for the replicas, asks, and leaves once the Sentinels agree", () => {
    expect(
      play(
        {},
        { elapsedMs: 20 },
        { elapsedMs: 40, caughtUp: true },
        { elapsedMs: 200, promoted: at(1) },
        { elapsedMs: 700, promoted: at(1), agreed: at(1) },
        { elapsedMs: 720, role: "replica", promoted: at(1), agreed: at(1) },
      ),
    ).toEqual({
      actions: ["refuse writes", "", "ask for failover", "", "demote", ""],
      phase: "done",
      outcome: "handed over",
    });
  });

  it("has nothing to hand over as a replica, alone, or without its Redis", () => {
    expect(play({ role: "replica" }).outcome).toBe("not a master");
    const silent = { peersAnswer: false };
    expect(play(silent, { ...silent, elapsedMs: 1999 }).phase).toBe("asked");
    expect(play(silent, { ...silent, elapsedMs: 2000 }).outcome).toBe("no peer answers");
    expect(play({ onlineReplicas: 0 }).outcome).toBe("no replica to hand over to");
    expect(play({ role: undefined }).outcome).toBe("redis does not answer");
  });

  it("asks without a replica that caught up, and asks again where nothing came of it", () => {
    expect(play({}, { elapsedMs: 500 }, { elapsedMs: 1499 }, { elapsedMs: 1500 }).actions).toEqual([
      "refuse writes",
      "ask for failover",
      "",
      "ask for failover",
    ]);
  });

  it("stops being a master at last where the Sentinels do not announce its successor", () => {
    const late = play(
      {},
      { elapsedMs: 10, caughtUp: true },
      { elapsedMs: 300, promoted: at(1) },
      { elapsedMs: announceMs - 1, promoted: at(1) },
      { elapsedMs: announceMs, promoted: at(1) },
      { elapsedMs: announceMs + 20, role: "replica", promoted: at(1) },
    );
    expect(late.actions).toEqual(["refuse writes", "ask for failover", "", "", "demote", ""]);
    expect(late.phase).toBe("demoted");
  });

  it("ends within its time, refuses once, and demotes only for a master seen elsewhere", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            after: fc.nat({ max: 400 }),
            role: fc.constantFrom("master" as const, "replica" as const, undefined),
            onlineReplicas: fc.nat({ max: 2 }),
            peersAnswer: fc.boolean(),
            caughtUp: fc.boolean(),
            promoted: fc.constantFrom(undefined, at(1), at(2)),
            agreed: fc.constantFrom(undefined, at(0), at(1), at(2)),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          const budgetMs = 3000;
          let state: HandOverState = handOverBegin;
          let elapsedMs = 0;
          const kinds: string[] = [];
          for (const { after, ...step } of steps) {
            elapsedMs += after;
            const situation = seen({ ...step, elapsedMs, budgetMs });
            const next = handOver(state, situation);
            if (state.phase === "done") expect(next).toEqual({ state, actions: [] });
            state = next.state;
            for (const action of next.actions) {
              kinds.push(action.kind);
              if (action.kind !== "demote") continue;
              expect(action.to).not.toEqual(at(0));
              expect([step.promoted, step.agreed]).toContainEqual(action.to);
            }
            if (elapsedMs >= budgetMs) expect(state.phase).toBe("done");
            expect(state.outcome !== undefined).toBe(state.phase === "done");
          }
          expect(kinds.filter((kind) => kind === "refuse writes").length).toBeLessThanOrEqual(1);
          expect(kinds.filter((kind) => kind === "demote").length).toBeLessThanOrEqual(1);
          const order = ["refuse writes", "ask for failover", "demote"];
          expect(kinds).toEqual([...kinds].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
        },
      ),
    );
  });
});
