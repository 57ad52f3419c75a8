import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { BrokenCircuitError, type CircuitBreakerPolicy } from "cockatiel";
import type { Logger } from "pino";
import { createBreaker } from "../breaker";
import { includesGtids, joinGtids } from "../database/gtid";
import type { Metrics } from "../metrics";
import {
  decodeTag,
  encodeEntry,
  judgeEntry,
  requiredGtids,
  unknownWrite,
  type Verdict,
} from "./entries";
import type { CacheStore, EntryKeys, Lease } from "./store";

/** What is wanted: a value, and the tag that stands for what can change it. */
export interface Wanted {
  /** For metrics. */
  readonly kind: "item" | "list";
  readonly name: string;
  readonly tag: string;
  /** GTIDs that the reader must see. */
  readonly after?: string | undefined;
}

export interface Loaded {
  readonly body: string;
  /** GTIDs that it includes. */
  readonly covers: string;
}

/**
 * Reads from the database, at least as fresh as `after` says. `wish`, where it is given, asks for
 * what the result includes, and that it be that fresh if this costs no more than a moment.
 */
export type Load = (after: string, wish?: string) => Promise<Loaded>;

export type CacheResult = "hit" | "miss" | "bypass";

export interface Cached {
  readonly body: string;
  readonly result: CacheResult;
}

export interface CacheOptions {
  readonly ttlMs: number;
  /** Longest wait for somebody else who fills the same value. */
  readonly leaseWaitMs?: number;
  /** Wait between attempts at invalidations that failed. */
  readonly retryMs?: number;
  readonly now?: () => number;
}

/**
 * Shape of the cached bodies. To be raised when it changes: nodes of two versions share the cache
 * during a roll. Tags have none, for a write of either version must reach both.
 */
const shape = 1;

/** The cache beside the database. Whatever happens to it, reads are answered and writes are done. */
export class Cache {
  private readonly flights = new Map<string, Promise<string>>();
  /** Tags whose invalidation has not succeeded, with what it is to say. */
  private readonly pending = new Map<string, { writes: readonly string[]; since: number }>();
  private readonly breaker: CircuitBreakerPolicy;
  private readonly now: () => number;
  private retrying = false;
  private closed = false;

  constructor(
    private readonly store: CacheStore,
    private readonly options: CacheOptions,
    private readonly metrics: Metrics,
    private readonly log: Logger,
  ) {
    this.now = options.now ?? Date.now;
    this.breaker = createBreaker(
      { name: "cache", failures: 5, retryAfterMs: 1000, counts: () => true },
      metrics,
    );
  }

  /** The value, from the cache where it is there and good, else from the database. */
  async get(wanted: Wanted, load: Load): Promise<Cached> {
    const note = (result: string) => this.metrics.cacheReads.inc({ kind: wanted.kind, result });
    const after = wanted.after ?? "";
    if (this.pending.size > 0) {
      note("bypass-invalidation");
      return { body: (await load(after)).body, result: "bypass" };
    }
    const keys = keysOf(wanted);
    let verdict: Verdict;
    try {
      verdict = await this.lookup(keys, after);
    } catch {
      note("bypass-error");
      return { body: (await load(after)).body, result: "bypass" };
    }
    if (verdict.result === "hit") {
      note("hit");
      return { body: verdict.body, result: "hit" };
    }
    note(`miss-${verdict.reason}`);
    return { body: await this.shared(keys, after, load), result: "miss" };
  }

  /**
   * Makes every value of these tags invalid. `write`: GTIDs of the write, undefined where it is not
   * known whether it happened. Never rejects: what fails is tried again, and nothing is read from
   * the cache until it has succeeded.
   */
  async invalidate(tags: readonly string[], write: string | undefined): Promise<void> {
    if (tags.length === 0) return;
    const writes = [write ?? unknownWrite];
    try {
      await this.guarded("invalidate", () =>
        this.store.invalidate(tags.map(tagKey), randomUUID(), writes),
      );
      this.metrics.cacheInvalidations.inc({ result: "ok" });
    } catch (error) {
      this.metrics.cacheInvalidations.inc({ result: "failed" });
      if (this.pending.size === 0) {
        this.log.warn({ reason: String(error) }, "an invalidation failed: the cache is not read");
      }
      this.postpone(tags, writes);
    }
  }

  close(): void {
    this.closed = true;
  }

  private async lookup(keys: EntryKeys, after: string): Promise<Verdict> {
    const [value, tag] = await this.guarded("lookup", () => this.store.lookup(keys));
    return judgeEntry(value, tag, { now: this.now(), ttlMs: this.options.ttlMs, after });
  }

  /** One fill at a time for readers in this process who want the same; the others wait for it. */
  private shared(keys: EntryKeys, after: string, load: Load): Promise<string> {
    const name = `${keys.value} ${after}`;
    const under = this.flights.get(name);
    if (under) return under;
    const flight = this.fill(keys, after, load).finally(() => this.flights.delete(name));
    this.flights.set(name, flight);
    return flight;
  }

  /**
   * Reads from the database and stores the value, unless somebody else is doing so. A replica that
   * lags answers a reader who did not ask for more; what it answers is not stored.
   */
  private async fill(keys: EntryKeys, after: string, load: Load): Promise<string> {
    const holder = randomUUID();
    const direct = async () => (await load(after)).body;
    let lease: Lease;
    let others: string | undefined;
    try {
      lease = await this.guarded("lease", () => this.store.lease(keys, randomUUID(), holder));
      if (!lease.granted) others = await this.awaitOther(keys, after);
    } catch {
      return direct();
    }
    if (!lease.granted) return others ?? direct();
    const tag = decodeTag(lease.tag);
    const required = requiredGtids(tag);
    let loaded: Loaded | undefined;
    try {
      if (required === undefined) return await direct();
      loaded = await load(after, required);
      return loaded.body;
    } finally {
      // The reader does not wait for it.
      if (loaded && required !== undefined && includesGtids(loaded.covers, required)) {
        void this.put(keys, tag.stamp, loaded, holder);
      } else {
        void this.giveBack(keys, holder);
      }
    }
  }

  /** The value that somebody else fills; undefined where it does not come in time. */
  private async awaitOther(keys: EntryKeys, after: string): Promise<string | undefined> {
    const wait = this.options.leaseWaitMs ?? 150;
    const until = this.now() + wait;
    while (this.now() < until) {
      await delay(wait / 10);
      const verdict = await this.lookup(keys, after);
      if (verdict.result === "hit") return verdict.body;
    }
    return undefined;
  }

  private async put(keys: EntryKeys, stamp: string, loaded: Loaded, holder: string): Promise<void> {
    const value = encodeEntry({ stamp, storedAt: this.now(), ...loaded });
    try {
      const stored = await this.guarded("fill", () => this.store.fill(keys, stamp, value, holder));
      this.metrics.cacheFills.inc({ result: stored ? "stored" : "outdated" });
    } catch {
      this.metrics.cacheFills.inc({ result: "failed" });
    }
  }

  private async giveBack(keys: EntryKeys, holder: string): Promise<void> {
    try {
      await this.guarded("release", () => this.store.release(keys, holder));
    } catch {
      // It expires by itself.
    }
  }

  private async guarded<T>(command: string, run: () => Promise<T>): Promise<T> {
    try {
      return await this.breaker.execute(run);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) this.metrics.cacheErrors.inc({ command });
      throw error;
    }
  }

  private postpone(tags: readonly string[], writes: readonly string[]): void {
    const now = this.now();
    for (const tag of tags) {
      const known = this.pending.get(tag);
      // The newest go to the end.
      this.pending.delete(tag);
      this.pending.set(tag, {
        writes: joinWrites([...(known?.writes ?? []), ...writes]),
        since: now,
      });
    }
    // What was stored before so old a write has expired by itself.
    for (const [tag, { since }] of this.pending) {
      if (since > now - 2 * this.options.ttlMs) break;
      this.pending.delete(tag);
    }
    this.metrics.cacheReadsOff.set(1);
    if (!this.retrying) void this.retryPending();
  }

  private async retryPending(): Promise<void> {
    this.retrying = true;
    while (this.pending.size > 0 && !this.closed) {
      await delay(this.options.retryMs ?? 250);
      const batch = [...this.pending].slice(0, 200);
      const writes = joinWrites(batch.flatMap(([, entry]) => entry.writes));
      try {
        // Past the breaker, which would only delay it.
        await this.store.invalidate(
          batch.map(([tag]) => tagKey(tag)),
          randomUUID(),
          writes,
        );
      } catch {
        continue;
      }
      for (const [tag, entry] of batch) {
        if (this.pending.get(tag) === entry) this.pending.delete(tag);
      }
    }
    this.retrying = false;
    if (this.closed) return;
    this.metrics.cacheReadsOff.set(0);
    this.metrics.cacheInvalidations.inc({ result: "made-up" });
    this.log.info("the invalidations were made up for: the cache is read again");
  }
}

/** Few texts that say the same. */
function joinWrites(writes: readonly string[]): string[] {
  const known = joinGtids(writes.filter((write) => write !== unknownWrite));
  return [
    ...(known === "" ? [] : [known]),
    ...(writes.includes(unknownWrite) ? [unknownWrite] : []),
  ];
}

const prefix = "property";
const tagKey = (tag: string) => `${prefix}:tag:${tag}`;

function keysOf({ name, tag }: Wanted): EntryKeys {
  const value = `${prefix}:value:${shape}:${name}`;
  return { value, tag: tagKey(tag), lease: `${value}:lease` };
}
