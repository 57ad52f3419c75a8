import { z } from "zod";

/** What a restore is told, as one line of JSON on its input, which stays open while it may go on. */
export const restoreRequest = z.strictObject({
  store: z.strictObject({
    repository: z.string(),
    password: z.string(),
    environment: z.record(z.string(), z.string()),
  }),
  /** Point in time, see `parsePoint`. */
  at: z.string(),
  /** Replace what the database holds. */
  force: z.boolean(),
});

export type RestoreRequest = z.output<typeof restoreRequest>;

/** A moment in microseconds since 1970; undefined means the newest there is. */
export type Point = bigint | undefined;

const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** The point in time that a text names. Throws saying what is allowed. */
export function parsePoint(text: string): Point {
  if (text === "latest") return undefined;
  const milliseconds = pattern.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(milliseconds)) {
    throw new Error(
      `AT: found ${JSON.stringify(text)}, allowed: latest, or a time with its zone such as 2026-11-21T10:30:00Z or 2026-11-21T11:30:00+01:00`,
    );
  }
  return BigInt(milliseconds) * 1000n;
}

/** The moment as ISO text, in UTC. */
export function isoTime(microseconds: bigint): string {
  return new Date(Number(microseconds / 1000n)).toISOString();
}
