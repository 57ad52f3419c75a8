import { z } from "zod";
import { leastSentShare } from "./shared";

const schema = z.object({
  metrics: z.record(
    z.string(),
    z.object({
      values: z.record(z.string(), z.number()),
      thresholds: z.record(z.string(), z.object({ ok: z.boolean() })).optional(),
    }),
  ),
});

/** What k6 saw. */
export interface K6Result {
  readonly requests: number;
  readonly failed: number;
  readonly planned: number;
  readonly notSent: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Empty where the run passed. */
  readonly problems: readonly string[];
}

/** Reads the summary that a scenario wrote. Throws where it is not one. */
export function readK6Summary(text: string): K6Result {
  const { metrics } = schema.parse(JSON.parse(text));
  const value = (metric: string, key: string) => metrics[metric]?.values[key] ?? 0;
  const requests = value("http_reqs", "count");
  const failed = value("failed_requests", "count");
  const notSent = value("dropped_iterations", "count");
  const planned = value("iterations", "count") + notSent;
  const problems: string[] = [];
  if (requests === 0) problems.push("k6 sent no request");
  if (failed > 0) problems.push(`${failed} of ${requests} requests of k6 failed`);
  if (planned > 0 && notSent / planned > 1 - leastSentShare) {
    problems.push(
      `k6 did not send ${notSent} of ${planned} planned requests, at most ${Math.round((1 - leastSentShare) * 100)} % may be`,
    );
  }
  for (const [metric, { thresholds = {} }] of Object.entries(metrics)) {
    for (const [threshold, { ok }] of Object.entries(thresholds)) {
      // These two are told above, in words and of the time that the run really took.
      if (!ok && metric !== "failed_requests" && metric !== "dropped_iterations") {
        problems.push(`threshold of k6: ${metric} must be ${threshold}`);
      }
    }
  }
  return {
    requests,
    failed,
    planned,
    notSent,
    p50Ms: value("http_req_duration", "med"),
    p95Ms: value("http_req_duration", "p(95)"),
    p99Ms: value("http_req_duration", "p(99)"),
    maxMs: value("http_req_duration", "max"),
    problems,
  };
}
