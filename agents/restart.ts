/* When a program that ended by itself is started again. Pure. */

/** A program that ended without being asked to. */
export interface Failures {
  /** Ends in a row, each soon after the start. */
  readonly quick: number;
  /** It has answered since the node started. */
  readonly everUp: boolean;
}

/** Milliseconds that a program must have run for its end not to count as quick. */
export const quickMs = 10_000;
const hopelessAfter = 5;

/** Milliseconds until the next start; undefined where more tries cannot help. */
export function restartDelay({ quick, everUp }: Failures): number | undefined {
  if (!everUp && quick >= hopelessAfter) return undefined;
  return quick === 0 ? 0 : Math.min(100 * 2 ** quick, 5000);
}
