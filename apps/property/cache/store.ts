import type { Stamp } from "./entries";

/** Names of what belongs to one value. */
export interface EntryKeys {
  readonly value: string;
  readonly tag: string;
  readonly lease: string;
}

/** Result of asking to fill a value. */
export interface Lease {
  /** The tag as it is before the value is read from the database. */
  readonly tag: string;
  /** False where somebody else fills the value. */
  readonly granted: boolean;
}

/** What the cache needs of a store. Every method rejects within its time limit. */
export interface CacheStore {
  /** Value and tag, null where there is none. */
  lookup(keys: EntryKeys): Promise<readonly [value: string | null, tag: string | null]>;
  /** Makes the tag where there is none, and asks for the lease. */
  lease(keys: EntryKeys, stamp: Stamp, holder: string): Promise<Lease>;
  /** Stores the value if the tag still has the stamp, and gives the lease back; true if stored. */
  fill(keys: EntryKeys, stamp: Stamp, value: string, holder: string): Promise<boolean>;
  /** Gives the lease back without a value. */
  release(keys: EntryKeys, holder: string): Promise<void>;
  /** Gives the tags a new stamp and adds the writes to them. */
  invalidate(tags: readonly string[], stamp: Stamp, writes: readonly string[]): Promise<void>;
}
