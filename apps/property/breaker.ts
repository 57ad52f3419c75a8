import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  type CircuitBreakerPolicy,
} from "cockatiel";
import type { Metrics } from "./metrics";

export interface BreakerOptions {
  readonly name: string;
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Time in ms after which one attempt is let through again. */
  readonly retryAfterMs: number;
  /** What counts as a failure. */
  readonly counts: (error: unknown) => boolean;
}

/** A circuit breaker whose state is a metric. */
export function createBreaker(
  { name, failures, retryAfterMs, counts }: BreakerOptions,
  metrics: Metrics,
): CircuitBreakerPolicy {
  const breaker = circuitBreaker(handleWhen(counts), {
    breaker: new ConsecutiveBreaker(failures),
    halfOpenAfter: retryAfterMs,
  });
  metrics.breaker.set({ breaker: name }, CircuitState.Closed);
  breaker.onStateChange((state) => metrics.breaker.set({ breaker: name }, state));
  return breaker;
}
