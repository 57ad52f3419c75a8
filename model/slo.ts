import { z } from "zod";

/**
 * Settings under `holdfast:slo`. From them come the recording rules, the burn-rate alerts, the k6
 * thresholds, the OpenSLO document, the dashboards' queries and the availability report.
 */
export const sloSchema = z
  .strictObject({
    availabilityPercent: z
      .number()
      .min(95)
      .max(99.999)
      .default(99.9)
      .describe(
        "Percent of the seconds of 30 days in which the stack must be up; planned outages count as down.",
      ),
    latencyPercent: z
      .number()
      .min(95)
      .max(99.999)
      .default(99)
      .describe("Percent of the answered requests that must be fast."),
    latencyMilliseconds: z
      .int()
      .min(1)
      .max(60_000)
      .default(500)
      .describe(
        "Milliseconds within which a request is fast; a bucket of the application's histogram `http_request_duration_seconds`.",
      ),
    timeScale: z
      .number()
      .min(1)
      .max(10_000)
      .default(1)
      .describe(
        "Divides the windows and waiting times of rules and alerts, so that tests see days in minutes. 1 everywhere else.",
      ),
  })
  .readonly();

export type SloSettings = z.output<typeof sloSchema>;

/** Seconds between two looks at the stack: scrape, probe and slot of the availability. */
export const slotSeconds = 5;
/** A slot is down when more than this share of its requests fails. */
export const failedShare = 0.05;
/** Days over which the objectives hold and the error budget is counted. */
export const periodDays = 30;

const day = 86_400;
export const periodSeconds = periodDays * day;

export const sloNames = ["availability", "latency"] as const;
export type SloName = (typeof sloNames)[number];

/** Windows over which error ratios are recorded, in seconds, by the name that the records carry. */
export const windows = {
  "5m": 300,
  "30m": 1800,
  "1h": 3600,
  "2h": 7200,
  "6h": 21_600,
  "1d": day,
  "3d": 3 * day,
} as const;
export type WindowName = keyof typeof windows;

/** A pair of windows, both of which must burn the budget too fast for an alert. */
export interface BurnRate {
  readonly severity: "page" | "ticket";
  readonly long: WindowName;
  /** A twelfth of the long one: the alert ends soon after the fault does. */
  readonly short: WindowName;
  /** How many times faster than allowed the budget is spent. */
  readonly factor: number;
}

/** `budgetShare`: the part of the 30 days' budget that is gone after the long window. */
function burnRate(
  severity: BurnRate["severity"],
  long: WindowName,
  short: WindowName,
  budgetShare: number,
): BurnRate {
  return { severity, long, short, factor: exact((budgetShare * periodSeconds) / windows[long]) };
}

/** Multi-window, multi-burn-rate pairs of the SRE workbook (chapter 5), for 30 days. */
export const burnRates: readonly BurnRate[] = [
  burnRate("page", "1h", "5m", 0.02),
  burnRate("page", "6h", "30m", 0.05),
  burnRate("ticket", "1d", "2h", 0.1),
  burnRate("ticket", "3d", "6h", 0.1),
];

/** The number without what binary fractions add to it: 0.001, not 0.0010000000000000009. */
export function exact(value: number): number {
  return Number(value.toPrecision(12));
}

/** What a share lacks to the whole, without what binary fractions add to it. */
export function complement(share: number): number {
  return Number((1 - share).toFixed(12));
}

/** Share of seconds or requests that must be good: 0.999. */
export function objective(slo: SloSettings, name: SloName): number {
  const percent = { availability: slo.availabilityPercent, latency: slo.latencyPercent };
  return exact(percent[name] / 100);
}

/** Share that may be bad: 0.001. */
export function errorBudget(slo: SloSettings, name: SloName): number {
  return complement(objective(slo, name));
}

const units = [
  ["d", day * 1000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

/** A duration as Prometheus writes it: `90s`, `1h`, `1500ms`. */
export function durationText(seconds: number): string {
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds === 0) return "0s";
  const [unit, size] = units.find(([, each]) => milliseconds % each === 0) ?? ["ms", 1];
  return `${milliseconds / size}${unit}`;
}

/** Three slots: `rate` needs two samples, and one may be missed. */
const leastWindowSeconds = 3 * slotSeconds;
/** What is waited for to tell a fault from a fail-over does not depend on the scale of the windows. */
const leastHoldSeconds = 30;

/** Turns durations of the definition into those that are in force, by `timeScale`. */
export interface Clock {
  /** Range of a query, such as `5m`; never less than `atLeast` seconds (default three slots). */
  readonly window: (seconds: number, atLeast?: number) => string;
  /** The same as a number of seconds. */
  readonly windowSeconds: (seconds: number, atLeast?: number) => number;
  /** `for` of an alert; up to 30 s it stays as it is. */
  readonly hold: (seconds: number) => string;
}

/** The clock of these settings. */
export function clockOf({ timeScale }: Pick<SloSettings, "timeScale">): Clock {
  const scaled = (seconds: number, floor: number) =>
    Math.max(seconds / timeScale, Math.min(seconds, floor));
  const windowSeconds = (seconds: number, atLeast = leastWindowSeconds) => scaled(seconds, atLeast);
  return {
    window: (seconds, atLeast) => durationText(windowSeconds(seconds, atLeast)),
    windowSeconds,
    hold: (seconds) => durationText(scaled(seconds, leastHoldSeconds)),
  };
}
