import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  control,
  fenceMs,
  noMemory,
  readiness,
  strayMs,
  type ControlMemory,
  type Situation,
} from "../../agents/redis/control";
import { agreedMaster } from "../../agents/redis/topology";
import {
  at,
  index,
  keyOf,
  master,
  members,
  ofMembers,
  replica,
  state,
  word,
  words,
} from "./support/redis";

describe("control of a running node", () => {
  const situation = (change: Partial<Situation>): Situation => ({
    now: 0,
    node: keyOf(0),
    self: at(0),
    members: 3,
    redis: master(),
    words: [word(0, 0), word(1, 0), word(2, 0)],
    problems: { redis: "refused", sentinel: "timed out" },
    ...change,
  });
  /** Plays situations one after the other; returns what each brought. */
  function play(...steps: readonly Partial<Situation>[]) {
    let memory: ControlMemory = noMemory;
    return steps.map((step) => {
      const result = control(memory, situation(step));
      memory = result.memory;
      return { change: result.change, fenced: result.fenced };
    });
  }
  const elsewhere = [word(0, 0, 1), word(1, 1, 2), word(2, 1, 2)];

  it("leaves a master alone that the majority names", () => {
    expect(play({})).toEqual([{ change: undefined, fenced: false }]);
  });

  it("demotes at once a master that was named and is not any more, as after a freeze", () => {
    const seen = play(
      {},
      { now: 30_000, redis: undefined, words: [] },
      { now: 30_250, words: elsewhere },
    );
    expect(seen[2]?.change).toEqual({ kind: "follow", master: at(1) });
  });

  it("gives the Sentinels time to announce a replica that they have just made master", () => {
    const before = { redis: replica(1), words: [word(0, 1), word(1, 1), word(2, 1)] };
    const promoted = { redis: master(), words: before.words };
    const seen = play(before, { now: 250, ...promoted }, { now: 250 + strayMs - 1, ...promoted });
    expect(seen.map(({ change }) => change)).toEqual([undefined, undefined, undefined]);
    expect(
      play(before, { now: 250, ...promoted }, { now: 250 + strayMs, ...promoted })[2]?.change,
    ).toEqual({
      kind: "follow",
      master: at(1),
    });
  });

  it("brings a replica in line that follows the wrong master, or is the named one", () => {
    const wrong = { redis: replica(2) };
    const others = [word(0, 1), word(1, 1), word(2, 1)];
    expect(
      play({ ...wrong, words: others }, { now: strayMs, ...wrong, words: others })[1]?.change,
    ).toEqual({
      kind: "follow",
      master: at(1),
    });
    expect(play(wrong, { now: strayMs, ...wrong })[1]?.change).toEqual({ kind: "become master" });
    // What the majority says changed in between: the time begins anew.
    expect(play(wrong, { now: strayMs, ...wrong, words: others })[1]?.change).toBeUndefined();
  });

  it("fences a node without a majority, at once after a pause of its own", () => {
    const alone = { words: [word(0, 0)] };
    expect(play(alone)[0]?.fenced).toBe(true);
    const seen = play(
      {},
      { now: fenceMs, ...alone },
      { now: fenceMs + 1, ...alone },
      { now: fenceMs + 2 },
    );
    expect(seen.map(({ fenced }) => fenced)).toEqual([false, false, true, false]);
  });

  it("changes a role only to what a majority says, and never without one", () => {
    fc.assert(
      fc.property(
        members,
        fc.array(
          fc.record({
            after: fc.nat({ max: 4000 }),
            redis: fc.option(state, { nil: undefined }),
            words,
          }),
          { maxLength: 12 },
        ),
        (count, steps) => {
          let memory: ControlMemory = noMemory;
          let now = 0;
          let lastAgreed = Number.NEGATIVE_INFINITY;
          for (const { words: all, ...step } of steps) {
            now += step.after;
            const said = ofMembers(all, count);
            const agreed = agreedMaster(said, count);
            if (agreed) lastAgreed = now;
            const result = control(
              memory,
              situation({ ...step, words: said, now, members: count }),
            );
            memory = result.memory;
            expect(result.fenced).toBe(now - lastAgreed > fenceMs);
            if (!result.change) continue;
            expect(step.redis).toBeDefined();
            expect(agreed).toBeDefined();
            if (result.change.kind === "become master") {
              expect(agreed).toEqual(at(0));
              expect(step.redis?.role).toBe("replica");
            } else {
              expect(result.change.master).toEqual(agreed);
              expect(agreed).not.toEqual(at(0));
            }
          }
        },
      ),
    );
  });

  it("leads any roles to one master, once the Sentinels agree", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(3, 5),
        fc.array(fc.option(index, { nil: undefined }), { minLength: 5, maxLength: 5 }),
        index,
        (count, roles, choice) => {
          const named = choice % count;
          const said = Array.from({ length: count }, (_, by) => word(by, named));
          const nodes = roles.slice(0, count).map((of, self) => ({
            memory: noMemory,
            redis: of === undefined || of === self ? master() : replica(of),
          }));
          for (let now = 0; now <= strayMs + 500; now += 250) {
            nodes.forEach((node, self) => {
              const { memory, change } = control(
                node.memory,
                situation({
                  now,
                  self: at(self),
                  node: keyOf(self),
                  members: count,
                  redis: node.redis,
                  words: said,
                }),
              );
              node.memory = memory;
              if (change?.kind === "become master") node.redis = master();
              if (change?.kind === "follow") {
                node.redis = { ...master(), role: "replica", master: change.master };
              }
            });
          }
          nodes.forEach(({ redis }, self) => {
            if (self === named) expect(redis.role).toBe("master");
            else expect(redis).toMatchObject({ role: "replica", master: at(named) });
          });
        },
      ),
    );
  });

  it("says why it is not ready", () => {
    const ready = (change: Partial<Situation>, memory: ControlMemory = noMemory) =>
      readiness(memory, situation(change)).reason;
    const agreedBefore = { ...noMemory, agreedAt: 0 };
    expect(ready({})).toBeNull();
    expect(ready({ redis: replica(1), words: elsewhere })).toBeNull();
    // The first member of a new stack is alone; one that lost the others is not in service.
    expect(ready({ words: [word(0, 0)] })).toBeNull();
    expect(ready({ now: fenceMs + 1, words: [word(0, 0)] }, agreedBefore)).toBe(
      "only 1 of 3 Sentinels answer, or they disagree",
    );
    expect(ready({ redis: undefined })).toBe("redis does not answer: refused");
    expect(ready({ redis: master({ loading: true }) })).toBe("redis is loading");
    expect(ready({ words: [word(1, 0), word(2, 0)] })).toBe(
      "its Sentinel does not answer: timed out",
    );
    expect(ready({ words: elsewhere })).toBe(
      "it is a master, but the Sentinels name 10.0.0.2:6379",
    );
    expect(ready({ redis: replica(2), words: elsewhere })).toBe(
      "it follows 10.0.0.3:6379, but the Sentinels name 10.0.0.2:6379",
    );
    expect(ready({ redis: replica(1, { linkUp: false }), words: elsewhere })).toBe(
      "it does not have the data of 10.0.0.2:6379 yet",
    );
  });
});
