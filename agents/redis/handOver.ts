/*
 * How a master that is being stopped hands over: it refuses writes, a replica that has everything
 * becomes the master, clients are sent to it once the Sentinels name it. Pure.
 *
 * Writes are refused rather than paused: a paused write holds up the reads behind it on the same
 * connection, and the Sentinels' own messages through the master, so that they take it for dead.
 */
import { same, type Address } from "./topology";

/**
 * waiting: for a replica to have everything. asked: a Sentinel was asked for the failover.
 * demoted: no longer a master. done: may stop.
 */
export type HandOverPhase = "begin" | "waiting" | "asked" | "demoted" | "done";

export interface HandOverState {
  readonly phase: HandOverPhase;
  readonly refusedAtMs: number;
  readonly askedAtMs: number;
  /** How it ended, once it is done. */
  readonly outcome: string | undefined;
}

export interface HandOverSituation {
  readonly elapsedMs: number;
  readonly budgetMs: number;
  readonly self: Address;
  /** Role of the own Redis, undefined where it does not answer. */
  readonly role: "master" | "replica" | undefined;
  readonly onlineReplicas: number;
  /** Some peer's Redis answered lately. */
  readonly peersAnswer: boolean;
  /** A replica has all that was written. */
  readonly caughtUp: boolean;
  /** A peer that says that it is a master. */
  readonly promoted: Address | undefined;
  /** The master that the majority of the Sentinels name. */
  readonly agreed: Address | undefined;
}

export type HandOverAction =
  | { readonly kind: "refuse writes" }
  | { readonly kind: "ask for failover" }
  /** Follow the new master, and close the application's connections. */
  | { readonly kind: "demote"; readonly to: Address };

const catchUpMs = 500;
const askAgainMs = 1000;
/** Milliseconds in which peers must have answered: they were asked seldom before. */
const silentMs = 2000;
/** Milliseconds after which clients are sent away although the Sentinels do not agree yet. */
export const announceMs = 4000;

export const handOverBegin: HandOverState = {
  phase: "begin",
  refusedAtMs: 0,
  askedAtMs: 0,
  outcome: undefined,
};

export interface HandOverStep {
  readonly state: HandOverState;
  readonly actions: readonly HandOverAction[];
}

/** The next state and what to do, in order. */
export function handOver(state: HandOverState, seen: HandOverSituation): HandOverStep {
  const { elapsedMs } = seen;
  const stay: HandOverStep = { state, actions: [] };
  const done = (outcome: string): HandOverStep => ({
    state: { ...state, phase: "done", outcome },
    actions: [],
  });
  const successor = seen.agreed && !same(seen.agreed, seen.self) ? seen.agreed : undefined;
  if (state.phase === "done") return stay;
  if (state.phase === "demoted" && successor) return done("handed over");
  if (elapsedMs >= seen.budgetMs) return done("out of time");
  if (!seen.peersAnswer && elapsedMs >= silentMs) return done("no peer answers");

  switch (state.phase) {
    case "begin":
      if (seen.role === undefined) return done("redis does not answer");
      if (seen.role === "replica") return done("not a master");
      if (seen.onlineReplicas === 0) return done("no replica to hand over to");
      return {
        state: { ...state, phase: "waiting", refusedAtMs: elapsedMs },
        actions: [{ kind: "refuse writes" }],
      };
    case "waiting":
      if (!seen.caughtUp && elapsedMs - state.refusedAtMs < catchUpMs) return stay;
      return {
        state: { ...state, phase: "asked", askedAtMs: elapsedMs },
        actions: [{ kind: "ask for failover" }],
      };
    case "asked": {
      if (seen.role === "replica") return { state: { ...state, phase: "demoted" }, actions: [] };
      const announced = successor && (!seen.promoted || same(successor, seen.promoted));
      const to = announced ? successor : seen.promoted;
      if (to && (announced || elapsedMs - state.refusedAtMs >= announceMs)) {
        return { state: { ...state, phase: "demoted" }, actions: [{ kind: "demote", to }] };
      }
      if (!to && elapsedMs - state.askedAtMs >= askAgainMs) {
        return {
          state: { ...state, askedAtMs: elapsedMs },
          actions: [{ kind: "ask for failover" }],
        };
      }
      return stay;
    }
    case "demoted":
      return stay;
  }
}
