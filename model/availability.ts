import { complement, exact } from "./slo";

/*
 * The arithmetic of availability; docs/availability.md explains it. Seconds and shares throughout:
 * 0.999 is 99.9 %.
 */

/**
 * Share of the time in which the stack was up: (total seconds - seconds down) / total seconds.
 * Planned outages belong to the seconds down. Throws a RangeError where that is no share.
 */
export function availability(totalSeconds: number, downSeconds: number): number {
  if (!(totalSeconds > 0) || !(downSeconds >= 0) || downSeconds > totalSeconds) {
    throw new RangeError(
      `found ${downSeconds} s down of ${totalSeconds} s, allowed: 0 to all of a time that is above 0`,
    );
  }
  return (totalSeconds - downSeconds) / totalSeconds;
}

/** Seconds that may be down so that the objective holds. */
export function allowedSeconds(objective: number, totalSeconds: number): number {
  return exact(complement(objective) * totalSeconds);
}

/** What an objective allows in a time, and what is left of it. */
export interface Budget {
  readonly allowedSeconds: number;
  readonly spentSeconds: number;
  /** Below 0 the objective was missed. */
  readonly leftSeconds: number;
  /** Share of the allowed seconds that is left. */
  readonly leftShare: number;
}

/** The error budget of an objective over a time. */
export function budgetOf(objective: number, totalSeconds: number, downSeconds: number): Budget {
  const allowed = allowedSeconds(objective, totalSeconds);
  return {
    allowedSeconds: allowed,
    spentSeconds: downSeconds,
    leftSeconds: exact(allowed - downSeconds),
    leftShare: exact(1 - downSeconds / allowed),
  };
}

const mostNines = 6;

/** Number of nines that an availability reaches: 2 for 99 % up to just below 99.9 %; at most 6. */
export function ninesOf(share: number): number {
  let nines = 0;
  while (nines < mostNines && complement(share) <= complement(1 - 10 ** -(nines + 1))) nines += 1;
  return nines;
}

/** A row of the nines table. */
export interface NinesRow {
  readonly nines: number;
  /** The share that the row stands for. */
  readonly share: number;
  /** Seconds that may be down a day, a week, a month of 30 days, a year of 365 days. */
  readonly day: number;
  readonly week: number;
  readonly month: number;
  readonly year: number;
}

const daySeconds = 86_400;

/** From one nine (90 %) to six (99.9999 %). */
export function ninesTable(): readonly NinesRow[] {
  return Array.from({ length: mostNines }, (_, index): NinesRow => {
    const share = complement(10 ** -(index + 1));
    const allowed = (days: number) => allowedSeconds(share, days * daySeconds);
    return {
      nines: index + 1,
      share,
      day: allowed(1),
      week: allowed(7),
      month: allowed(30),
      year: allowed(365),
    };
  });
}

/** `1 nine`, `3 nines`. */
export function ninesText(nines: number): string {
  return nines === 1 ? "1 nine" : `${nines} nines`;
}

/**
 * A share in percent, to the nearest digit. A digit that would claim more nines than were reached
 * is not rounded up to: 99.99996 % never reads 100 %, it gets the digits that it needs.
 */
export function percentText(share: number, digits = 4): string {
  for (let places = digits; places < 12; places++) {
    const text = (share * 100).toFixed(places);
    const shown = exact(Number(text) / 100);
    if (ninesOf(shown) <= ninesOf(share) && (shown < 1 || share === 1)) return `${text} %`;
  }
  return `${share * 100} %`;
}

/** Seconds as people say them: `2.6 s`, `26 s`, `43 min`, `7.2 h`, `3.7 d`. */
export function timeText(seconds: number): string {
  const [value, unit] =
    Math.abs(seconds) < 120
      ? [seconds, "s"]
      : Math.abs(seconds) < 600 * 60
        ? [seconds / 60, "min"]
        : Math.abs(seconds) < 3 * daySeconds
          ? [seconds / 3600, "h"]
          : [seconds / daySeconds, "d"];
  const digits = Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${unit}`;
}
