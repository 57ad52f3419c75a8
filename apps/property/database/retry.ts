import { setTimeout as delay } from "node:timers/promises";
import { BrokenCircuitError } from "cockatiel";

/**
 * Limits repeated attempts to a share of the requests, so that a struggling server does not get
 * several times its load. Each request deposits `share` of an attempt, at most `most` are saved;
 * `perSecond` are there without any deposit, for a quiet application.
 */
export class RetryBudget {
  private saved: number;
  private at: number;

  constructor(
    private readonly options: {
      readonly share: number;
      readonly perSecond: number;
      readonly most: number;
    },
    private readonly now: () => number = Date.now,
  ) {
    this.saved = options.most;
    this.at = now();
  }

  /** A request begins. */
  deposit(): void {
    this.add(this.options.share);
  }

  /** Takes one attempt; false where there is none left. */
  withdraw(): boolean {
    const now = this.now();
    this.add(((now - this.at) / 1000) * this.options.perSecond);
    this.at = now;
    if (this.saved < 1) return false;
    this.saved -= 1;
    return true;
  }

  private add(attempts: number): void {
    this.saved = Math.min(this.options.most, this.saved + Math.max(0, attempts));
  }
}

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** Wait in ms after attempt 0, 1, ...: doubles up to a limit; between half and the whole of that. */
export function backoffMs(attempt: number, { firstMs, mostMs }: Backoff, random: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return full * (0.5 + random / 2);
}

export interface Attempt {
  /** 0 for the first. Waiting for an open breaker is no attempt. */
  readonly number: number;
  /** Time left in ms. */
  readonly remainingMs: number;
}

export interface RetryOptions {
  readonly waitMs: number;
  readonly backoff: Backoff;
  readonly budget: RetryBudget;
  /** True where another attempt may do better. */
  readonly retryable: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown) => void;
}

export interface Clock {
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly random: () => number;
}

const realClock: Clock = { now: Date.now, sleep: (ms) => delay(ms), random: Math.random };

/** Why no further attempt was made; `cause` is what the last one met. */
export class GaveUp extends Error {
  override name = "GaveUp";

  constructor(
    readonly reason: "time" | "budget",
    override readonly cause: unknown,
  ) {
    super(reason === "time" ? "no success in time" : "too many requests are being repeated");
  }
}

/**
 * Runs the work until it succeeds, fails for good (its error is thrown as it is), its time is over
 * or the budget is used up (GaveUp). While a circuit breaker is open it waits without spending.
 */
export async function withRetries<T>(
  options: RetryOptions,
  work: (attempt: Attempt) => Promise<T>,
  clock: Clock = realClock,
): Promise<T> {
  const deadline = clock.now() + options.waitMs;
  options.budget.deposit();
  let number = 0;
  let last: unknown;
  for (;;) {
    try {
      return await work({ number, remainingMs: Math.max(1, deadline - clock.now()) });
    } catch (error) {
      const open = error instanceof BrokenCircuitError;
      // What was met before says more than that nothing was tried.
      if (!open || last === undefined) last = error;
      if (!open) {
        if (!options.retryable(error)) throw error;
        number += 1;
      }
      const wait = backoffMs(open ? 2 : number - 1, options.backoff, clock.random());
      if (clock.now() + wait >= deadline) throw new GaveUp("time", last);
      if (!open) {
        if (!options.budget.withdraw()) throw new GaveUp("budget", last);
        options.onRetry?.(error);
      }
      await clock.sleep(wait);
    }
  }
}
