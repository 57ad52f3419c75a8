/*
 * A planned stop, step by step: the primary hands over, sessions end, load balancers leave, the
 * member leaves its group. Pure.
 */
import { hasQuorum, inGroup, type DatabaseReport, type Peer } from "./state";

/**
 * handing over: still in service. draining: no new sessions. leaving: sessions are cut.
 * ending: the group is left and mysqld shut down.
 */
export type StopPhase = "handing over" | "draining" | "leaving" | "ending";

/** Milliseconds until the load balancers have surely noticed a change of the health answer. */
export const noticeMs = 1500;
/** Milliseconds to look for a successor that has caught up before going without. */
export const handOverMs = 10_000;

export interface StopFacts {
  /** Milliseconds in this phase. */
  readonly elapsedMs: number;
  /** Milliseconds that handing over and draining may take from now on. */
  readonly drainMs: number;
  /** Null where mysqld does not answer. */
  readonly own: DatabaseReport | null;
  /** UUID of the member to hand over to. undefined: none yet. null: there will be none. */
  readonly successor: string | undefined | null;
  /** Sessions of clients; undefined where unknown. */
  readonly sessions: number | undefined;
}

export interface StopStep {
  readonly phase: StopPhase;
  /** UUID of the member to make the primary now. */
  readonly handOverTo?: string;
}

export function nextStop(phase: StopPhase, facts: StopFacts): StopStep {
  const { own, elapsedMs } = facts;
  const serving = own !== null && inGroup(own) && hasQuorum(own);
  switch (phase) {
    case "handing over": {
      if (!serving || own.role !== "PRIMARY" || facts.successor === null) {
        return { phase: "draining" };
      }
      if (elapsedMs >= handOverMs || facts.drainMs <= 0) return { phase: "draining" };
      return facts.successor === undefined ? { phase } : { phase, handOverTo: facts.successor };
    }
    case "draining": {
      const empty = facts.sessions === 0 && elapsedMs >= noticeMs;
      return !serving || empty || facts.drainMs <= 0 ? { phase: "leaving" } : { phase };
    }
    case "leaving":
      return !serving || elapsedMs >= noticeMs ? { phase: "ending" } : { phase };
    case "ending":
      return { phase };
  }
}

/** Transactions that a successor may have to execute before it can take writes. */
const maxSuccessorQueue = 100;

/**
 * UUID of the secondary to hand over to: one that has next to nothing left to execute. Among those
 * the one that started last, as in a roll that one has already been replaced. Undefined where it
 * takes a while, null where no other member could.
 */
export function successor(own: DatabaseReport, peers: readonly Peer[]): StopFacts["successor"] {
  const candidates = peers.flatMap(({ report }) => {
    const database = report?.database;
    if (!report || report.stopping || database?.state !== "ONLINE") return [];
    const seen = own.members.find(({ id }) => id === database.id);
    return seen?.state === "ONLINE" && seen.role === "SECONDARY"
      ? [{ database, startedAt: report.startedAt }]
      : [];
  });
  if (candidates.length === 0) return null;
  const [best] = candidates
    .filter(({ database }) => hasQuorum(database) && database.applyQueue <= maxSuccessorQueue)
    .sort((a, b) => b.startedAt - a.startedAt);
  return best?.database.id;
}
