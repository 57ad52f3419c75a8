/*
 * Sets of GTIDs as MySQL writes them: `uuid:1-5:9,uuid:tag:3`. A write's own GTID is what makes a
 * later read fresh enough, and what a server has executed says whether it is.
 */

/** By source (UUID, with its tag if any): first and last of each interval, ascending. */
export type GtidSet = ReadonlyMap<string, readonly Range[]>;

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const tag = /^[a-z_][a-z0-9_]{0,31}$/;
const interval = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/** Undefined where the text is no set of GTIDs. */
export function parseGtids(text: string): GtidSet | undefined {
  const set = new Map<string, Range[]>();
  for (const part of text.split(",")) {
    const [source = "", ...rest] = part.replace(/\s/g, "").toLowerCase().split(":");
    if (source === "" && rest.length === 0) continue;
    if (!uuid.test(source) || rest.length === 0) return undefined;
    let key = source;
    for (const item of rest) {
      if (tag.test(item)) {
        key = `${source}:${item}`;
        continue;
      }
      const [, from, to = from] = interval.exec(item) ?? [];
      if (from === undefined) return undefined;
      const range: Range = [Number(from), Number(to)];
      if (range[0] < 1 || range[1] < range[0]) return undefined;
      set.set(key, [...(set.get(key) ?? []), range]);
    }
  }
  for (const [key, ranges] of set) set.set(key, joined(ranges));
  return set;
}

type Range = readonly [from: number, to: number];

/** Ascending, without overlaps or neighbours. */
function joined(ranges: readonly Range[]): Range[] {
  const result: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

/** True where everything in `part` is in `whole`; false too where either cannot be read. */
export function includesGtids(whole: string, part: string): boolean {
  const required = parseGtids(part);
  if (required?.size === 0) return true;
  const executed = parseGtids(whole);
  if (!required || !executed) return false;
  return [...required].every(([source, ranges]) =>
    ranges.every(([from, to]) =>
      (executed.get(source) ?? []).some(([first, last]) => first <= from && to <= last),
    ),
  );
}

/** One set that holds all of them. Throws for what is no set: it comes from the database. */
export function joinGtids(sets: readonly string[]): string {
  const all = new Map<string, Range[]>();
  for (const text of sets) {
    const set = parseGtids(text);
    if (!set) throw new Error(`not a set of GTIDs: ${text.slice(0, 200)}`);
    for (const [source, ranges] of set) {
      all.set(source, [...(all.get(source) ?? []), ...ranges]);
    }
  }
  return [...all]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([source, ranges]) =>
      [source, ...joined(ranges).map(([a, b]) => (a === b ? String(a) : `${a}-${b}`))].join(":"),
    )
    .join(",");
}

const longestToken = 1024;

/** What a client presents to see its own write: opaque, safe in a header and a cookie. */
export function encodeToken(gtids: string): string {
  return Buffer.from(gtids, "utf8").toString("base64url");
}

/** GTIDs of a token; undefined where it is none of ours. */
export function decodeToken(token: string): string | undefined {
  if (token.length > longestToken || !/^[\w-]+$/.test(token)) return undefined;
  const gtids = Buffer.from(token, "base64url").toString("utf8");
  const set = parseGtids(gtids);
  return set && set.size > 0 && encodeToken(gtids) === token ? gtids : undefined;
}
