import { mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { log, messageOf } from "../io";
import type { GtidSet } from "../mysql/gtid";
import { BinlogFile } from "./binlogFile";
import { GtidCollector } from "./gtidCollector";
import { agrees, mayBeginWith, type Held, type Mark } from "./reception";
import { periodName, periodStart } from "./retention";
import { binlogsIn, segmentName, segmentsIn, writeNote } from "./segments";

/** Thrown where a server sends another transaction under a number that is known. */
export class OtherHistory extends Error {}

interface Active {
  readonly folder: string;
  readonly files: BinlogFile[];
  readonly exclude: GtidSet;
  readonly compare: Mark | undefined;
}

/** What a store has to take over, and all that is in it once it has. */
export interface Unstored {
  readonly periods: readonly {
    readonly folder: string;
    /** To be called once it is stored. */
    readonly done: () => void;
  }[];
  readonly covered: GtidSet;
}

/** The received binary logs: what they hold, and where the next ones go. */
export class Journal {
  /** When the last byte arrived, in milliseconds as `performance.now` counts them. */
  lastByteAt = 0;
  /** Transactions received since the start. */
  received = 0;
  private period: string | undefined;
  private segments = 0;
  private history_: string | undefined;
  private base_: GtidSet | undefined;
  private collected: GtidCollector | undefined;
  private last: Mark | undefined;
  private active: Active | undefined;
  /** Bytes of each period's folder, and how many of them are stored. */
  private readonly sizes = new Map<string, { bytes: number; stored: number }>();

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const newest = this.periods().at(-1);
    if (newest) this.resume(newest);
  }

  /** Name of the database's history; undefined before the first reception. */
  get history(): string | undefined {
    return this.history_;
  }

  /** What was covered when the present period began. */
  get base(): GtidSet | undefined {
    return this.base_;
  }

  get held(): Held | undefined {
    return this.collected && { covered: this.collected.set(), last: this.last };
  }

  /** Bytes received in the segment that is open. */
  get segmentBytes(): number {
    return this.active?.files.reduce((sum, { length }) => sum + length, 0) ?? 0;
  }

  /** Names of the periods' folders, oldest first. */
  periods(): string[] {
    return readdirSync(this.folder)
      .filter((name) => !Number.isNaN(periodStart(name)))
      .sort();
  }

  /** A period begins; the next segment goes there. Without `history` it continues the last one. */
  beginPeriod(now: number, begin?: { readonly history: string; readonly base: GtidSet }): void {
    this.closeSegment();
    const newest = this.periods().at(-1);
    const name = periodName(newest ? Math.max(now, periodStart(newest) + 1) : now);
    mkdirSync(path.join(this.folder, name), { mode: 0o700 });
    this.period = name;
    this.segments = 0;
    if (begin) {
      this.history_ = begin.history;
      this.collected = new GtidCollector(begin.base);
      this.last = undefined;
    }
    this.base_ = this.collected?.set();
  }

  /** Opens a segment for what that server is going to send. Returns its folder. */
  openSegment(server: string, exclude: GtidSet, compare: Mark | undefined, now: number): string {
    const { period, history, collected } = this;
    if (!period || history === undefined || !collected) throw new Error("no period has begun");
    this.closeSegment();
    const folder = path.join(this.folder, period, segmentName(++this.segments));
    writeNote(folder, { history, server, begunAt: now, covered: collected.set() });
    this.active = { folder, files: [], exclude, compare };
    this.grown(period, 1);
    return folder;
  }

  /**
   * Takes note of what has arrived. Throws OtherHistory where it does not fit to what is here; what
   * arrived in this segment is then gone.
   */
  advance(): void {
    const { active, collected } = this;
    if (!active || !collected) return;
    const paths = binlogsIn(active.folder);
    const known = active.files.length;
    for (const added of paths.slice(known)) active.files.push(new BinlogFile(added));
    // Of those that were known only the last one has grown.
    for (const file of active.files.slice(Math.max(0, known - 1))) {
      this.take(file, active, collected);
    }
  }

  private take(file: BinlogFile, active: Active, collected: GtidCollector): void {
    const before = file.length;
    file.read((transaction) => {
      if (active.compare && !agrees(active.compare, transaction)) {
        this.discardSegment();
        const { source, number } = transaction;
        throw new OtherHistory(`the primary has another transaction ${source}:${number}`);
      }
      this.received++;
      collected.add(transaction.source, transaction.number);
      const { source, number, committedAt } = transaction;
      this.last = { source, number, committedAt };
    });
    if (file.length > before && this.period) {
      this.lastByteAt = performance.now();
      this.grown(this.period, file.length - before);
    }
    const [first] = active.files;
    if (first === file && file.previous && !mayBeginWith(file.previous, active.exclude)) {
      this.discardSegment();
      throw new Error("the binary log begins too late: the primary has changed meanwhile");
    }
  }

  closeSegment(): void {
    this.active = undefined;
  }

  private discardSegment(): void {
    if (this.active) rmSync(this.active.folder, { recursive: true, force: true });
    this.active = undefined;
  }

  /** What is not in the store yet; undefined where everything is. */
  unstored(): Unstored | undefined {
    const open = [...this.sizes].filter(([, { bytes, stored }]) => bytes > stored);
    if (open.length === 0 || !this.collected) return undefined;
    const taken = open.map(([name, { bytes }]) => [name, bytes] as const);
    return {
      periods: taken.map(([name, bytes]) => ({
        folder: path.join(this.folder, name),
        done: () => {
          const size = this.sizes.get(name);
          if (size) size.stored = bytes;
        },
      })),
      covered: this.collected.set(),
    };
  }

  /** Removes periods that are stored, but for the newest two. */
  prune(): void {
    for (const name of this.periods().slice(0, -2)) {
      const size = this.sizes.get(name);
      if (size && size.stored < size.bytes) continue;
      rmSync(path.join(this.folder, name), { recursive: true, force: true });
      this.sizes.delete(name);
    }
  }

  private grown(period: string, bytes: number): void {
    const size = this.sizes.get(period) ?? { bytes: 0, stored: 0 };
    size.bytes += bytes;
    this.sizes.set(period, size);
  }

  /** Goes on where an earlier run of the agent ended. What it has not seen stored counts as open. */
  private resume(newest: string): void {
    for (const name of this.periods().slice(-2)) {
      if (readdirSync(path.join(this.folder, name)).length > 0) this.grown(name, 1);
    }
    const segments = segmentsIn(path.join(this.folder, newest));
    const [first] = segments;
    if (!first) {
      // It began and nothing had been received in it: the one before says what there is.
      rmSync(path.join(this.folder, newest), { recursive: true, force: true });
      const before = this.periods().at(-1);
      if (before) this.resume(before);
      return;
    }
    const collected = new GtidCollector(first.covered);
    for (const { files } of segments) {
      for (const file of files) {
        try {
          new BinlogFile(file).read(({ source, number, committedAt }) => {
            collected.add(source, number);
            this.last = { source, number, committedAt };
          });
        } catch (error) {
          log("a received binary log ends in damage; what is missing is fetched again", {
            file: path.relative(this.folder, file),
            error: messageOf(error),
          });
        }
      }
    }
    this.period = newest;
    this.segments = Number(path.basename(segments.at(-1)?.folder ?? "0"));
    this.history_ = first.history;
    this.base_ = first.covered;
    this.collected = collected;
  }
}
