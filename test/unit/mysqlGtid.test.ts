import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  contains,
  count,
  emptyGtidSet,
  formatGtidSet,
  isEmpty,
  parseGtidSet,
  subtract,
  union,
  type GtidSet,
} from "../../agents/mysql/gtid";

const a = "aaaaaaaa-0000-0000-0000-000000000001";
const b = "bbbbbbbb-0000-0000-0000-000000000002";
const sources = [a, b, `${a}:backup`];

/** A set as the plain list of its transactions: what the arithmetic is held against. */
type Model = ReadonlySet<string>;

const models: fc.Arbitrary<Model> = fc
  .array(fc.tuple(fc.constantFrom(...sources), fc.integer({ min: 1, max: 12 })))
  .map((pairs) => new Set(pairs.map(([source, number]) => `${source}:${number}`)));

/** Written one by one, in whatever order: the parser has to bring them in form. */
const setOf = (model: Model): GtidSet => parseGtidSet([...model].join(","));

const transactionsOf = (set: GtidSet): string[] =>
  [...set].flatMap(([source, intervals]) =>
    intervals.flatMap(({ first, last }) =>
      Array.from({ length: Number(last - first) + 1 }, (_, i) => `${source}:${Number(first) + i}`),
    ),
  );

const sorted = (values: Iterable<string>) => [...values].sort();

describe("GTID sets", () => {
  it("are read as the server writes them", () => {
    const text = `${b}:4-6:9,\n${a}:1-5:7:backup:1-3:8`;
    expect(formatGtidSet(parseGtidSet(text))).toBe(`${a}:1-5:7,${a}:backup:1-3:8,${b}:4-6:9`);
    expect(parseGtidSet("")).toEqual(emptyGtidSet);
    expect(formatGtidSet(parseGtidSet(`${a.toUpperCase()}:1-3,${a}:4`))).toBe(`${a}:1-4`);
  });

  it("keep numbers apart that JavaScript's own cannot tell apart", () => {
    const set = parseGtidSet(`${a}:9007199254740993-9223372036854775806`);
    expect(contains(set, parseGtidSet(`${a}:9007199254740992`))).toBe(false);
    expect(contains(set, parseGtidSet(`${a}:9007199254740993`))).toBe(true);
  });

  it.each(["x", "1-5", `${a}:0`, `${a}:5-3`, `${a}:1-`, `${a}:tag with space!:1`, "null"])(
    "refuse %j",
    (text) => {
      expect(() => parseGtidSet(text)).toThrow("GTID set: found");
    },
  );

  it("have the same form where they have the same transactions", () => {
    fc.assert(
      fc.property(models, (model) => {
        const set = setOf(model);
        expect(sorted(transactionsOf(set))).toEqual(sorted(model));
        expect(parseGtidSet(formatGtidSet(set))).toEqual(set);
        expect(count(set)).toBe(model.size);
        expect(isEmpty(set)).toBe(model.size === 0);
      }),
    );
  });

  it("are joined, subtracted and compared as plain sets are", () => {
    fc.assert(
      fc.property(models, models, (one, other) => {
        const [x, y] = [setOf(one), setOf(other)];
        expect(sorted(transactionsOf(union(x, y)))).toEqual(sorted(new Set([...one, ...other])));
        expect(sorted(transactionsOf(subtract(x, y)))).toEqual(
          sorted([...one].filter((transaction) => !other.has(transaction))),
        );
        expect(contains(x, y)).toBe([...other].every((transaction) => one.has(transaction)));
      }),
    );
  });

  it("obey the laws of sets", () => {
    fc.assert(
      fc.property(models, models, models, (one, other, third) => {
        const [x, y, z] = [setOf(one), setOf(other), setOf(third)];
        expect(union(x, y)).toEqual(union(y, x));
        expect(union(x, union(y, z))).toEqual(union(x, y, z));
        expect(union(subtract(x, y), y)).toEqual(union(x, y));
        expect(subtract(x, x)).toEqual(emptyGtidSet);
        expect(contains(x, y) && contains(y, z)).toBe(
          contains(x, y) && contains(y, z) && contains(x, z),
        );
        if (contains(x, y) && contains(y, x)) expect(x).toEqual(y);
      }),
    );
  });
});
