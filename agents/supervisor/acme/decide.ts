/* When a certificate is ordered. Pure. Times in milliseconds. */
import type { Standing } from "./bundle";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/**
 * Let's Encrypt refuses a name after five failed proofs in an hour: with these waits and a
 * failover in between, both load balancers together stay below.
 */
const firstWaitMs = 20 * minuteMs;
const longestWaitMs = 180 * minuteMs;
/** Share of a wait that chance may add, so that many stacks do not come back at once. */
const jitter = 0.2;

/** What became of the orders so far. It outlives the node: a restart is no reason to ask again. */
export interface Attempts {
  /** Failures since the last success. */
  readonly failures: number;
  /** Before that nothing is ordered. */
  readonly notBefore: number;
  readonly lastSuccess?: number;
  readonly lastFailure?: number;
}

export const noAttempts: Attempts = { failures: 0, notBefore: 0 };

/** From when a certificate is renewed: so many days before its end, or when two thirds of its life are over. */
export function dueAt({ from, end }: Pick<Standing, "from" | "end">, renewBeforeDays: number) {
  return end - Math.min(renewBeforeDays * dayMs, (end - from) / 3);
}

/** Milliseconds before its end from which somebody is to be told: half of the time for renewals is over. */
export function warningMs(standing: Pick<Standing, "from" | "end">, renewBeforeDays: number) {
  return (standing.end - dueAt(standing, renewBeforeDays)) / 2;
}

/** Why a certificate is to be ordered; undefined where the one there is will do. */
export function reasonToOrder(
  standing: Standing | undefined,
  renewBeforeDays: number,
  now: number,
): string | undefined {
  if (!standing) return "there is none";
  if (!standing.fits) return "it is not for the names or not of the authority of the settings";
  return now >= dueAt(standing, renewBeforeDays) ? "it is due for renewal" : undefined;
}

/** As it is recorded before an order: one that ends this program has failed. `chance`: 0 to 1. */
export function failedAt(attempts: Attempts, now: number, chance: number): Attempts {
  const wait = Math.min(firstWaitMs * 2 ** attempts.failures, longestWaitMs);
  return {
    ...attempts,
    failures: attempts.failures + 1,
    notBefore: now + wait * (1 + jitter * chance),
    lastFailure: now,
  };
}

export function succeededAt(attempts: Attempts, now: number): Attempts {
  const { lastFailure } = attempts;
  return {
    ...noAttempts,
    lastSuccess: now,
    ...(lastFailure !== undefined && { lastFailure }),
  };
}
