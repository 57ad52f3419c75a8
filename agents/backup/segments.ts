import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { writeWhole } from "../io";
import { formatGtidSet, parseGtidSet, type GtidSet } from "../mysql/gtid";

/*
 * Received binary logs on disk: <period>/<segment>/<file>. A period begins with each full backup, a
 * segment with each connection: its files are those of one server, whose names say nothing to
 * another. Beside them stands what was there before, so that the whole can be put together again.
 */

/** What `segment.json` says. */
export interface SegmentNote {
  /** The history of the database that the segment continues. */
  readonly history: string;
  /** UUID of the server that it was received from. */
  readonly server: string;
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  /** What was there before: a full backup or what was received until then. */
  readonly covered: GtidSet;
}

/** A segment on disk. */
export interface Segment extends SegmentNote {
  readonly folder: string;
  /** Paths of its binary logs in their order. */
  readonly files: readonly string[];
}

const schema = z.object({
  history: z.string(),
  server: z.string(),
  begunAt: z.number(),
  covered: z.string(),
});

const noteName = "segment.json";

/** Writes the note of a new segment; on disk when it returns. */
export function writeNote(folder: string, { covered, ...rest }: SegmentNote): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const note: z.output<typeof schema> = { ...rest, covered: formatGtidSet(covered) };
  writeWhole(path.join(folder, noteName), `${JSON.stringify(note)}\n`);
}

/** Paths of the binary logs in a segment's folder, in their order. */
export function binlogsIn(folder: string): string[] {
  // The number grows to seven digits one day: the shorter name comes first.
  return readdirSync(folder)
    .filter((name) => /\.\d+$/.test(name))
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    .map((name) => path.join(folder, name));
}

/** Segments of a period in the order in which they were received. */
export function segmentsIn(period: string): Segment[] {
  return readdirSync(period)
    .sort()
    .map((name) => path.join(period, name))
    .filter((folder) => existsSync(path.join(folder, noteName)))
    .map((folder) => {
      const text = readFileSync(path.join(folder, noteName), "utf8");
      const { covered, ...note } = schema.parse(JSON.parse(text));
      return { ...note, covered: parseGtidSet(covered), folder, files: binlogsIn(folder) };
    });
}

/** Name of the segment after so many others in its period. */
export const segmentName = (number: number): string => String(number).padStart(6, "0");
