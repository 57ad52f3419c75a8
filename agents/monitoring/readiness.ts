/* Whether a monitoring node is in service. Pure. */

/** A program of the node, as seen last. */
export interface Seen {
  readonly name: string;
  /** It has answered that it is ready. */
  readonly ready: boolean;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not; null where it is. */
  readonly reason: string | null;
}

/** The node serves while every program of it does, and nobody has told it to stop. */
export function readiness(draining: boolean, programs: readonly Seen[]): Readiness {
  if (draining) return { ready: false, reason: "it is stopping" };
  const silent = programs.filter(({ ready }) => !ready).map(({ name }) => name);
  return silent.length === 0
    ? { ready: true, reason: null }
    : { ready: false, reason: `not ready: ${silent.join(", ")}` };
}
