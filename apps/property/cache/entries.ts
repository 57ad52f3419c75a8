/*
 * How the cache knows that a value is good, without a connection to anything.
 *
 * A tag stands for what a write can change: one property, or the lists of a city or kind. It holds
 * a stamp, new with every write, and the GTIDs of recent writes. A value carries the stamp that its
 * tag had before the value was read from the database, and what the database had executed by then:
 * it is good while the stamp is still the tag's. So a value that was computed before a write can
 * be stored after it and will not be served, and whoever fills a value knows which writes the
 * server that he reads from must have seen.
 */
import { includesGtids, joinGtids } from "../database/gtid";

/** Unique text that a tag gets with every write. */
export type Stamp = string;

export interface Tag {
  readonly stamp: Stamp;
  /** GTIDs of recent writes; `unknownWrite` for one whose GTID nobody knows. */
  readonly writes: readonly string[];
}

export interface Entry {
  readonly stamp: Stamp;
  /** Epoch ms by the clock of the node that stored it. */
  readonly storedAt: number;
  /** GTIDs that the value includes. */
  readonly covers: string;
  readonly body: string;
}

/** Stands for a write that may have happened or not: nothing read now is known to include it. */
export const unknownWrite = "?";

/** Most writes that a tag remembers, and for how long in ms. Later writes include earlier ones. */
export const rememberedWrites = 32;
export const rememberedMs = 60_000;

export function encodeEntry({ stamp, storedAt, covers, body }: Entry): string {
  return `${stamp}\n${storedAt}\n${covers}\n${body}`;
}

/** Undefined where the text is no entry. */
export function decodeEntry(text: string): Entry | undefined {
  const first = text.indexOf("\n");
  const second = text.indexOf("\n", first + 1);
  const third = text.indexOf("\n", second + 1);
  if (first < 1 || second < 0 || third < 0) return undefined;
  const storedAt = Number(text.slice(first + 1, second));
  if (!Number.isSafeInteger(storedAt)) return undefined;
  return {
    stamp: text.slice(0, first),
    storedAt,
    covers: text.slice(second + 1, third),
    body: text.slice(third + 1),
  };
}

/** A tag's text: its stamp, a line end, then `write|epochMs` separated by semicolons. */
export function decodeTag(text: string): Tag {
  const [stamp = "", writes = ""] = text.split("\n");
  return {
    stamp,
    writes: writes
      .split(";")
      .map((write) => write.split("|")[0] ?? "")
      .filter((write) => write !== ""),
  };
}

/** What somebody who reads for the cache must see; undefined where that cannot be known. */
export function requiredGtids({ writes }: Tag): string | undefined {
  return writes.includes(unknownWrite) ? undefined : joinGtids(writes);
}

export type Verdict =
  | { readonly result: "hit"; readonly body: string; readonly covers: string }
  | { readonly result: "miss"; readonly reason: "absent" | "invalidated" | "expired" | "behind" };

/** Whether a value may be served. `after`: GTIDs that the reader must see. */
export function judgeEntry(
  entryText: string | null,
  tagText: string | null,
  { now, ttlMs, after = "" }: { now: number; ttlMs: number; after?: string | undefined },
): Verdict {
  const entry = entryText === null ? undefined : decodeEntry(entryText);
  if (!entry) return { result: "miss", reason: "absent" };
  if (tagText === null || decodeTag(tagText).stamp !== entry.stamp) {
    return { result: "miss", reason: "invalidated" };
  }
  // The store forgets by its own clock; neither clock may make a value live longer.
  if (now - entry.storedAt >= ttlMs) return { result: "miss", reason: "expired" };
  if (after !== "" && !includesGtids(entry.covers, after)) {
    return { result: "miss", reason: "behind" };
  }
  return { result: "hit", body: entry.body, covers: entry.covers };
}
