/*
 * Arithmetic of GTID sets, the numbers by which members tell which transactions they have:
 * `uuid:1-5:7,uuid:tag:1-3`. Pure.
 */

/** Transaction numbers from `first` to `last`, both included. */
interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Source (`uuid` or `uuid:tag`, lower case) -> its numbers: ascending, apart from each other, never
 * empty. Equal sets are therefore equal in form.
 */
export type GtidSet = ReadonlyMap<string, readonly Interval[]>;

export const emptyGtidSet: GtidSet = new Map();

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const tagPattern = /^[a-z_][a-z0-9_]{0,31}$/;
const intervalPattern = /^(\d+)(?:-(\d+))?$/;

/** Brings intervals in order and joins those that touch. */
function normalized(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const interval of [...intervals].sort((a, b) => (a.first < b.first ? -1 : 1))) {
    const previous = result.at(-1);
    if (previous && interval.first <= previous.last + 1n) {
      const last = interval.last > previous.last ? interval.last : previous.last;
      result[result.length - 1] = { first: previous.first, last };
    } else {
      result.push(interval);
    }
  }
  return result;
}

function normalizedSet(parts: ReadonlyMap<string, readonly Interval[]>): GtidSet {
  return new Map(
    [...parts]
      .filter(([, intervals]) => intervals.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([source, intervals]) => [source, normalized(intervals)]),
  );
}

/** The set that the server writes as `text`. Throws where the text is something else. */
export function parseGtidSet(text: string): GtidSet {
  const sources = new Map<string, Interval[]>();
  for (const part of text.replaceAll(/\s/g, "").toLowerCase().split(",")) {
    if (part === "") continue;
    const [uuid = "", ...tokens] = part.split(":");
    if (!uuidPattern.test(uuid)) throw malformed(text);
    let source = uuid;
    for (const token of tokens) {
      const interval = intervalPattern.exec(token);
      if (interval) {
        const first = BigInt(interval[1] ?? "");
        const last = BigInt(interval[2] ?? first);
        if (first < 1n || last < first) throw malformed(text);
        sources.set(source, [...(sources.get(source) ?? []), { first, last }]);
      } else if (tagPattern.test(token)) {
        source = `${uuid}:${token}`;
      } else {
        throw malformed(text);
      }
    }
  }
  return normalizedSet(sources);
}

function malformed(text: string): Error {
  return new Error(`GTID set: found ${JSON.stringify(text.slice(0, 80))}, wanted uuid:1-5,...`);
}

/** The set as text that the server and `parseGtidSet` understand. */
export function formatGtidSet(set: GtidSet): string {
  return [...set]
    .map(([source, intervals]) =>
      [
        source,
        ...intervals.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)),
      ].join(":"),
    )
    .join(",");
}

/** Transactions that are in one of the sets. */
export function union(...sets: readonly GtidSet[]): GtidSet {
  const sources = new Map<string, Interval[]>();
  for (const set of sets) {
    for (const [source, intervals] of set) {
      sources.set(source, [...(sources.get(source) ?? []), ...intervals]);
    }
  }
  return normalizedSet(sources);
}

/** Transactions of `set` that are not in `other`. */
export function subtract(set: GtidSet, other: GtidSet): GtidSet {
  const sources = new Map<string, Interval[]>();
  for (const [source, intervals] of set) {
    let left = [...intervals];
    for (const taken of other.get(source) ?? []) {
      left = left.flatMap(({ first, last }) => {
        if (taken.last < first || taken.first > last) return [{ first, last }];
        return [
          ...(first < taken.first ? [{ first, last: taken.first - 1n }] : []),
          ...(taken.last < last ? [{ first: taken.last + 1n, last }] : []),
        ];
      });
    }
    sources.set(source, left);
  }
  return normalizedSet(sources);
}

/** Is every transaction of `part` in `set`? */
export function contains(set: GtidSet, part: GtidSet): boolean {
  return isEmpty(subtract(part, set));
}

export function isEmpty(set: GtidSet): boolean {
  return set.size === 0;
}

/** Number of transactions. */
export function count(set: GtidSet): number {
  return Number(
    [...set.values()].flat().reduce((total, { first, last }) => total + (last - first + 1n), 0n),
  );
}
