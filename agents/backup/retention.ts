/* What may leave the store. Pure. */

/** A snapshot as `restic snapshots --json` prints it, as far as it is needed. */
export interface Snapshot {
  readonly id: string;
  readonly time: string;
  readonly paths: readonly string[];
  readonly tags?: readonly string[] | null;
  readonly summary?: { readonly total_bytes_processed?: number };
}

/** Moment of a snapshot in milliseconds since 1970. */
export const timeOf = ({ time }: Snapshot): number => Date.parse(time);

/** Value of a tag such as `history=...`. */
export function tagOf({ tags }: Snapshot, name: string): string | undefined {
  return tags?.find((tag) => tag.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Newest last. */
export function byTime(snapshots: readonly Snapshot[]): Snapshot[] {
  return [...snapshots].sort((a, b) => timeOf(a) - timeOf(b));
}

/** Arguments of restic that let full backups go that are older than so many days. */
export function forgetFulls(days: number): string[] {
  return ["forget", "--group-by", "", "--keep-within", `${days}d`];
}

/** The newest snapshot of each folder of binary logs, by the folder's name, oldest folder first. */
export function newestOfPeriods(snapshots: readonly Snapshot[]): ReadonlyMap<string, Snapshot> {
  const newest = new Map<string, Snapshot>();
  for (const snapshot of byTime(snapshots)) {
    const name = snapshot.paths[0]?.split("/").pop();
    if (name) newest.set(name, snapshot);
  }
  return new Map([...newest].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Ids of snapshots of binary logs that nobody needs: those that a newer one of the same folder
 * contains, and folders from before the oldest full backup. A folder is named after its beginning
 * and ends where the next begins. One more is kept: the oldest full backup may lag behind its time.
 */
export function binlogsToForget(
  snapshots: readonly Snapshot[],
  oldestFull: number | undefined,
): string[] {
  const newest = newestOfPeriods(snapshots);
  const periods = [...newest.keys()];
  const last = periods.findLastIndex(
    (period) => oldestFull === undefined || periodStart(period) <= oldestFull,
  );
  const needed = new Set(periods.slice(oldestFull === undefined ? 0 : Math.max(0, last - 1)));
  const kept = new Set([...newest].flatMap(([period, { id }]) => (needed.has(period) ? [id] : [])));
  return snapshots.map(({ id }) => id).filter((id) => !kept.has(id));
}

/** Name of the folder of a period that begins at that moment: `20261121T020000.000Z`. */
export function periodName(start: number): string {
  return new Date(start).toISOString().replaceAll(/[-:]/g, "");
}

/** Beginning of a period in milliseconds since 1970, by its folder's name. NaN for other names. */
export function periodStart(name: string): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)([\d.]+Z)$/.exec(name) ?? [];
  const [year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}`);
}
