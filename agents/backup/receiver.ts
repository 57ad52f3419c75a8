import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { log, messageOf } from "../io";
import type { Session } from "../mysql/client";
import { count, formatGtidSet, type GtidSet } from "../mysql/gtid";
import { OtherHistory, type Journal } from "./journal";
import { connectionArguments, type Endpoint } from "./options";
import { start } from "./programs";
import { decide, isStalled, type Decision } from "./reception";
import { describe, firstFile, type Source } from "./source";

/** A segment of this size is closed: the store reads what is open from its start every time. */
const segmentBytes = 32 << 20;
/** Milliseconds between two looks at what has arrived. */
const lookMs = 500;
const pauseMs = 1000;
const longestPauseMs = 15_000;
/** Milliseconds in which mysqlbinlog ends when it is told to. */
const endMs = 5000;

export interface ReceiverArgs {
  readonly journal: Journal;
  readonly from: Endpoint;
  /** Option file of the account. */
  readonly optionFile: string;
  /** Number by which servers tell this reader from others. */
  readonly serverId: number;
  readonly openSession: () => Promise<Session>;
  /** Since when the primary has more than has arrived. */
  readonly behindSince: () => number | undefined;
  /** Told of what went wrong. */
  readonly onProblem: (problem: string) => void;
  /** Told that a new history has begun, and why. */
  readonly onHistory: (reason: string) => void;
}

/** Receives the primary's binary logs for as long as it runs, whichever server that is. */
export class Receiver {
  /** True while the connection stands. */
  receiving = false;
  /** Connections that ended unasked. */
  interruptions = 0;
  private stopped = new AbortController();
  /** Ends the present segment; reception goes on in the next. */
  private next = new AbortController();
  private lackingSince: number | undefined;
  private otherHistory: string | undefined;
  private running: Promise<void> | undefined;

  constructor(private readonly args: ReceiverArgs) {}

  start(): void {
    this.running ??= this.run();
  }

  /** Ends reception; what has arrived is in the journal when it resolves. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  /** Lets the next segment begin a period of its own. */
  beginPeriod(): void {
    this.next.abort();
  }

  private async run(): Promise<void> {
    let failures = 0;
    while (!this.stopped.signal.aborted) {
      if (this.next.signal.aborted) {
        this.next = new AbortController();
        this.args.journal.beginPeriod(Date.now());
      }
      try {
        await this.receive();
        failures = 0;
      } catch (error) {
        failures = this.receiving ? 1 : failures + 1;
        this.interruptions++;
        if (error instanceof OtherHistory) this.otherHistory = error.message;
        this.args.onProblem(`receiving binary logs: ${messageOf(error)}`);
        const pause = Math.min(pauseMs * 2 ** (failures - 1), longestPauseMs);
        await sleep(pause, undefined, { signal: this.stopped.signal }).catch(() => undefined);
      } finally {
        this.receiving = false;
      }
    }
  }

  /** One connection. Resolves where the segment is to end, throws where it ended by itself. */
  private async receive(): Promise<void> {
    const { from, optionFile, serverId } = this.args;
    const { folder, file, exclude } = await this.begin();
    const child = start("mysqlbinlog", [
      ...connectionArguments(optionFile, from),
      "--read-from-remote-source=BINLOG-DUMP-GTIDS",
      "--raw",
      "--stop-never",
      `--connection-server-id=${serverId}`,
      `--exclude-gtids=${formatGtidSet(exclude)}`,
      `--result-file=${folder}/`,
      file,
    ]);
    try {
      await this.follow(child.ended);
    } finally {
      child.process.kill("SIGTERM");
      const force = setTimeout(() => child.process.kill("SIGKILL"), endMs);
      await child.ended.catch(() => undefined);
      clearTimeout(force);
    }
    // What arrived until the very end counts, too.
    this.args.journal.advance();
    this.args.journal.closeSegment();
  }

  /** Opens the next segment for what the primary has and this node has not. */
  private async begin(): Promise<{ folder: string; file: string; exclude: GtidSet }> {
    const session = await this.args.openSession();
    try {
      const source = await describe(session);
      const { exclude, compare } = this.prepare(source);
      const file = await firstFile(session, exclude);
      const { server } = source;
      const folder = this.args.journal.openSegment(server, exclude, compare, Date.now());
      log("receiving binary logs", { server, file, known: count(exclude) });
      return { folder, file, exclude };
    } finally {
      session.destroy();
    }
  }

  /** Decides what to ask for; a new history begins where the present one cannot be continued. */
  private prepare(source: Source): Extract<Decision, { kind: "receive" }> {
    const { journal } = this.args;
    if (!source.writable) throw new Error("the primary takes no writes yet");
    const now = performance.now();
    const decision: Decision = this.otherHistory
      ? { kind: "begin anew", reason: this.otherHistory }
      : decide(journal.held, source, this.lackingSince === undefined ? 0 : now - this.lackingSince);
    switch (decision.kind) {
      case "wait":
        this.lackingSince ??= now;
        throw new Error(decision.reason);
      case "begin anew":
        journal.beginPeriod(Date.now(), {
          history: randomUUID().slice(0, 8),
          base: source.executed,
        });
        this.args.onHistory(decision.reason);
        this.lackingSince = undefined;
        this.otherHistory = undefined;
        return { kind: "receive", exclude: source.executed, compare: undefined };
      case "receive":
        this.lackingSince = undefined;
        return decision;
    }
  }

  /** Takes note of what arrives until the segment is to end. Throws where it ends by itself. */
  private async follow(ended: Promise<void>): Promise<void> {
    const { journal, behindSince } = this.args;
    const asked = AbortSignal.any([this.stopped.signal, this.next.signal]);
    const openedAt = performance.now();
    const state = { over: false };
    const end = ended.finally(() => (state.over = true));
    for (;;) {
      await Promise.race([
        end.catch(() => undefined),
        sleep(lookMs, undefined, { signal: asked }).catch(() => undefined),
      ]);
      journal.advance();
      if (asked.aborted) return;
      if (state.over) {
        await end;
        throw new Error("the connection has ended");
      }
      this.receiving = true;
      if (journal.segmentBytes > segmentBytes) return;
      const lastByteAt = Math.max(openedAt, journal.lastByteAt);
      if (isStalled(performance.now(), behindSince(), lastByteAt)) {
        throw new Error("the connection is dead: the primary has more, and nothing arrives");
      }
    }
  }
}
