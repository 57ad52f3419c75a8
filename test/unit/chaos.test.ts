import { describe, expect, test } from "vitest";
import { missed, oldestFirst, scenarios, spreads } from "../support/chaos";

describe("chaos", () => {
  const scenario = (name: string) => ({
    name,
    repetitions: 1,
    bars: { failed: 0 },
    once: async () => ({}),
  });

  test("the scenario with the oldest result comes first, one without any before it", () => {
    const results = { a: { at: "2026-02-01" }, b: { at: "2026-01-01" } };
    const order = oldestFirst(["a", "b", "c"].map(scenario), results);
    expect(order.map(({ name }) => name)).toEqual(["c", "b", "a"]);
  });

  test("a bar is missed by more than it allows, and by no figure at all", () => {
    const bars = { failed: 0, seconds: 30 };
    expect(missed({ bars }, { failed: 0, seconds: 30, other: 99 })).toEqual([]);
    expect(missed({ bars }, { failed: 1, seconds: 30 })).toEqual([
      "failed: found 1, allowed: at most 0",
    ]);
    expect(missed({ bars }, { failed: 0 })).toEqual([
      "seconds: found nothing, allowed: at most 30",
    ]);
  });

  test("median and most of each figure", () => {
    expect(spreads([{ a: 3, b: 1 }, { a: 1 }, { a: 2.00049 }])).toEqual({
      a: { median: 2, max: 3 },
      b: { median: 1, max: 1 },
    });
  });

  test("scenarios have names of their own, for results are kept by name", () => {
    const names = [...scenarios.web, ...scenarios.data].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
