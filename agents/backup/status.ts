/* What the node tells about itself. Pure. */

export interface Facts {
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly startedAt: number;
  readonly draining: boolean;
  /** The store was opened and is ours. */
  readonly storeOpen: boolean;
  readonly receiving: boolean;
  readonly storedUpTo: number | undefined;
  readonly lastFullAt: number | undefined;
  /** What is wrong now; undefined where nothing is. */
  readonly problem: string | undefined;
}

/** What `status` prints. */
export interface BackupStatus {
  readonly node: string;
  readonly ready: boolean;
  readonly draining: boolean;
  readonly receiving: boolean;
  /** Seconds of which something may be missing in the store. */
  readonly behindSeconds: number;
  /** ISO time of the last full backup. */
  readonly lastFull: string | null;
  readonly reason: string | null;
}

/** Seconds of which something may be missing in the store; before the first success since the start. */
export function behindSeconds({ now, storedUpTo, startedAt }: Facts): number {
  return Math.max(0, Math.round((now - (storedUpTo ?? startedAt)) / 1000));
}

/**
 * The node's state. It is ready once its store is: a database that is away does not make it less so,
 * or the outage of one tier would hold the roll of another. That backups fall behind is an alert.
 */
export function statusOf(facts: Facts): BackupStatus {
  const { node, draining, storeOpen, receiving, lastFullAt, problem } = facts;
  const ready = storeOpen && !draining;
  return {
    node,
    ready,
    draining,
    receiving,
    behindSeconds: behindSeconds(facts),
    lastFull: lastFullAt === undefined ? null : new Date(lastFullAt).toISOString(),
    reason: draining ? "it is stopping" : (problem ?? null),
  };
}
