/* How a Redis is started: as whose replica, or as master. Pure. */
import { same, type Address } from "./topology";
import type { RedisState } from "./replies";

export type StartDecision =
  | { readonly kind: "replica"; readonly of: Address }
  | { readonly kind: "master"; readonly reason: string }
  /** Ask a peer's Sentinel for a failover, then decide again. */
  | { readonly kind: "ask for failover" }
  | { readonly kind: "wait" };

export interface StartSituation {
  readonly self: Address;
  /** The master by the newest word of the Sentinels, or as remembered. */
  readonly named: Address;
  /** What the peers' Redis say; those that do not answer are left out. */
  readonly peers: readonly RedisState[];
  /** Milliseconds since the first try of this start. */
  readonly waitedMs: number;
}

/** How long a master that lost its memory waits for a peer to take its place. */
export const startPatienceMs = 6000;

/**
 * A Redis that starts holds nothing. It follows the master that the Sentinels name. If that is
 * itself (it came back before they noticed) its replicas would throw their data away to be like
 * it: as long as one of them has data, that one becomes the master first.
 */
export function decideStart({ self, named, peers, waitedMs }: StartSituation): StartDecision {
  if (!same(self, named)) return { kind: "replica", of: named };
  if (waitedMs >= startPatienceMs) return { kind: "master", reason: "no peer took over in time" };
  // A failover that is about to be announced.
  if (peers.some(({ role }) => role === "master")) return { kind: "wait" };
  if (peers.some(({ keys }) => keys > 0)) return { kind: "ask for failover" };
  return {
    kind: "master",
    reason: peers.length > 0 ? "no peer holds data" : "no peer answers",
  };
}
