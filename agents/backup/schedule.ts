/* When a full backup is to be taken. Pure. */

/** A full backup in the store. */
export interface TakenFull {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The history of the database that it belongs to. */
  readonly history: string;
}

export interface ScheduleFacts {
  /** The newest one, if any. */
  readonly newest: TakenFull | undefined;
  /** The history that is being received; undefined while none is. */
  readonly history: string | undefined;
  /** The last moment at which one was to be taken. */
  readonly lastRun: number | undefined;
  /** Somebody has asked for one since the newest began. */
  readonly asked: boolean;
}

/** Why a full backup is to be taken now; undefined where none is. */
export function whyFull({ newest, history, lastRun, asked }: ScheduleFacts): string | undefined {
  // Without its binary logs it would stand alone, and the next one would come at once.
  if (history === undefined) return undefined;
  if (asked) return "it was asked for";
  if (!newest) return "there is none";
  if (newest.history !== history) return "there is none of this history";
  if (lastRun !== undefined && newest.at < lastRun) return "it is time";
  return undefined;
}

/** Milliseconds to wait after so many failures in a row. */
export function retryDelay(failures: number): number {
  return failures === 0 ? 0 : Math.min(10_000 * 2 ** (failures - 1), 600_000);
}
