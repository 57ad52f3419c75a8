/* How far the store is behind the primary. Pure. */
import { contains, type GtidSet } from "../mysql/gtid";

/** What the primary had executed at a moment. */
export interface Probe {
  readonly at: number;
  readonly executed: GtidSet;
}

/** Moments that are still open, and the newest up to which everything is stored. */
export interface Lag {
  readonly storedUpTo: number | undefined;
  /** Oldest first. */
  readonly open: readonly Probe[];
}

export const noLag: Lag = { storedUpTo: undefined, open: [] };

/** More than this many are thinned out: while the store is away nobody needs every one. */
const maxOpen = 60;

/** With another probe, given what is stored. */
export function withProbe(lag: Lag, probe: Probe, stored: GtidSet): Lag {
  const open = [...lag.open, probe];
  return withStored(
    { ...lag, open: open.length > maxOpen ? open.filter((_, at) => at % 2 === 0) : open },
    stored,
  );
}

/** After something was stored. */
export function withStored({ storedUpTo, open }: Lag, stored: GtidSet): Lag {
  const newest = open.findLastIndex(({ executed }) => contains(stored, executed));
  if (newest < 0) return { storedUpTo, open };
  return { storedUpTo: open[newest]?.at, open: open.slice(newest + 1) };
}
