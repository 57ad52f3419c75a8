import { performance } from "node:perf_hooks";
import { judge, nonceHeader, type PathSpec } from "../shared";
import { isBroken, type Connection, type Outcome, type Outgoing } from "./connection";
import { Http1Connection } from "./http1";
import { Http2Connection } from "./http2";
import {
  kinds,
  type IdleKind,
  type Kind,
  type LoadPlan,
  type RateKind,
  type Target,
} from "./options";
import { seeded, weighted } from "./random";
import { notSentCode, okCode, reasons, RecordLog, type Reason, type Sample } from "./records";
import { percentile, type RawReport, type Tally } from "./report";

/** A planned request that could not leave for this long, in ms, counts as not sent. */
const tooLateMs = 1000;
/** Failures of one reason that are kept in detail. */
const samplesPerMinute = 20;
/** Where a pattern catches something unbounded, further values are not counted apart. */
const mostTallies = 200;

/** How a running load stands. */
export interface Progress {
  /** Epoch ms. */
  readonly at: number;
  readonly planned: number;
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Of the requests since the last progress, in ms. */
  readonly p99Ms: number;
}

interface Pool {
  readonly connections: Connection[];
  next: number;
}

/** Sends the load of a plan from this process, until it is stopped or the plan's time is over. */
export class Generator {
  private readonly log = new RecordLog();
  private readonly samples: Sample[] = [];
  private readonly samplesByMinute = new Map<string, number>();
  private readonly answers: Record<string, Tally> = {};
  private readonly patterns = new Map<PathSpec, RegExp>();
  private readonly random: () => number;
  private readonly pickKind: (() => RateKind) | undefined;
  private readonly pickPath: () => PathSpec;
  private readonly pools = new Map<RateKind, Pool>();
  private readonly idleTimers = new Set<NodeJS.Timeout>();
  private readonly open = new Set<Connection>();
  private readonly noncePrefix: string;
  private readonly cpuBefore = process.cpuUsage();
  /** Epoch ms of performance.now() = 0. */
  private readonly epoch = performance.timeOrigin;
  private readonly begun = performance.now();
  private scheduler: NodeJS.Timeout | undefined;
  private stopped: number | undefined;
  private whenDone: Promise<void> | undefined;
  private issued = 0;
  private planned = 0;
  private notSent = 0;
  private ok = 0;
  private failed = 0;
  /** Numbers of the requests that are under way. */
  private readonly underWay = new Set<number>();
  private readonly waiters = new Set<{ left: Set<number>; resolve: () => void }>();
  private reopened = 0;
  private lagSum = 0;
  private lagMax = 0;
  private recent: number[] = [];

  /** Begins at once. `ended` is called when the plan's time is over and the last request is done. */
  constructor(
    private readonly plan: LoadPlan,
    private readonly ended: () => void = () => {},
  ) {
    this.random = seeded(plan.seed);
    this.pickKind = plan.mix.length > 0 ? weighted(plan.mix, this.random) : undefined;
    this.pickPath = weighted(
      plan.paths.map((path) => [path, path.weight ?? 1] as const),
      this.random,
    );
    for (const path of plan.paths) {
      if (path.tally !== undefined) this.patterns.set(path, new RegExp(path.tally));
    }
    // Two loads at once must not take each other's answers for their own.
    this.noncePrefix = `${process.pid.toString(36)}-${Math.floor(this.epoch).toString(36)}-`;
    this.startIdle();
    this.schedule();
  }

  /** What happened since the last call, and the counts so far. */
  progress(): Progress {
    const recent = this.recent.sort((a, b) => a - b);
    this.recent = [];
    return {
      at: this.epoch + performance.now(),
      planned: this.planned,
      sent: this.planned - this.notSent,
      ok: this.ok,
      failed: this.failed,
      inFlight: this.underWay.size,
      p99Ms: Math.round(percentile(recent, 0.99) * 10) / 10,
    };
  }

  /** Everything so far; requests under way are not in it. */
  report(): RawReport {
    const until = this.stopped ?? performance.now();
    const cpu = process.cpuUsage(this.cpuBefore);
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    const seconds = (performance.now() - this.begun) / 1000;
    return {
      records: this.log.records(),
      samples: this.samples,
      answers: this.answers,
      reopened: this.reopened,
      generator: {
        cpuSeconds: Math.round(cpuSeconds * 100) / 100,
        cores: Math.round((cpuSeconds / seconds) * 1000) / 1000,
        lagMeanMs: Math.round((this.lagSum / Math.max(1, this.issued)) * 100) / 100,
        lagMaxMs: Math.round(this.lagMax * 10) / 10,
      },
      from: this.epoch + this.begun,
      to: this.epoch + until,
    };
  }

  /** Resolves once every request that is under way now is done: at most their timeout. */
  settled(): Promise<void> {
    if (this.underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiters.add({ left: new Set(this.underWay), resolve }));
  }

  /** Plans nothing more, waits for the requests under way (at most their timeout), closes all. */
  stop(): Promise<void> {
    if (!this.whenDone) {
      this.stopped = performance.now();
      clearTimeout(this.scheduler);
      for (const timer of this.idleTimers) clearTimeout(timer);
      this.whenDone = this.settled().then(() => {
        for (const connection of this.open) connection.destroy();
      });
    }
    return this.whenDone;
  }

  private schedule(): void {
    const now = performance.now();
    const elapsed = now - this.begun;
    if (elapsed >= this.plan.maxDurationMs) {
      void this.stop().then(this.ended);
      return;
    }
    const interval = this.plan.rate > 0 ? 1000 / this.plan.rate : Infinity;
    while (this.issued * interval <= elapsed) {
      const due = this.begun + this.issued * interval;
      this.issued += 1;
      this.lagSum += now - due;
      this.lagMax = Math.max(this.lagMax, now - due);
      this.arrive(due, now);
    }
    const next = Math.min(this.issued * interval, this.plan.maxDurationMs);
    this.scheduler = setTimeout(
      () => this.schedule(),
      Math.max(1, this.begun + next - performance.now()),
    );
  }

  private arrive(due: number, now: number): void {
    if (!this.pickKind) return;
    const kind = this.pickKind();
    const path = this.pickPath();
    if (now - due > tooLateMs || this.underWay.size >= this.plan.maxInFlight) {
      this.planned += 1;
      const why =
        now - due > tooLateMs
          ? `${Math.round(now - due)} ms late`
          : `${this.underWay.size} requests are already in flight`;
      this.fail(due, 0, kind, path, "not-sent", why, undefined);
      return;
    }
    this.exchange(kind, path, () => this.connectionFor(kind));
  }

  private connectionFor(kind: RateKind): Connection {
    if (kind === "http-new" || kind === "https-new") return this.connect(kind);
    const size = kind === "h2" ? this.plan.http2Connections : this.plan.keptConnections;
    let pool = this.pools.get(kind);
    if (!pool) this.pools.set(kind, (pool = { connections: [], next: 0 }));
    if (pool.connections.length < size) {
      const connection = this.connect(kind);
      pool.connections.push(connection);
      return connection;
    }
    // In turn, so that every connection is in use and not just the few that load would need.
    for (let tries = 0; tries < pool.connections.length; tries++) {
      const place = pool.next;
      pool.next = (pool.next + 1) % pool.connections.length;
      const connection = pool.connections[place];
      if (connection?.usable) {
        if (!connection.busy) return connection;
      } else {
        if (connection) this.open.delete(connection);
        return (pool.connections[place] = this.connect(kind));
      }
    }
    const connection = this.connect(kind);
    pool.connections.push(connection);
    return connection;
  }

  private connect(kind: Kind): Connection {
    const target = (kind.startsWith("http-") ? this.plan.http : this.plan.https) as Target;
    const connection = kind.startsWith("h2")
      ? new Http2Connection(target)
      : new Http1Connection(target);
    this.open.add(connection);
    return connection;
  }

  private exchange(
    kind: Kind,
    path: PathSpec,
    connectionFor: () => Connection,
    then?: (connection: Connection) => void,
  ): void {
    this.planned += 1;
    const number = this.planned;
    this.underWay.add(number);
    const nonce = path.nonce === "none" ? undefined : `${this.noncePrefix}${number}`;
    const request = outgoing(path, nonce, kind.endsWith("-new"));
    const started = performance.now();
    const connection = connectionFor();
    const finish = (outcome: Outcome) => {
      clearTimeout(timer);
      const latency = performance.now() - started;
      this.settle(started, latency, kind, path, nonce, outcome);
      if (kind.endsWith("-new")) {
        connection.destroy();
        this.open.delete(connection);
      } else if (connection instanceof Http1Connection) {
        this.trim(kind, connection);
      }
      then?.(connection);
      this.underWay.delete(number);
      for (const waiter of this.waiters) {
        waiter.left.delete(number);
        if (waiter.left.size > 0) continue;
        this.waiters.delete(waiter);
        waiter.resolve();
      }
    };
    // After a stall of this process an answer may be waiting to be read: that comes first.
    const timer = setTimeout(() => setImmediate(giveUp), this.plan.timeoutMs);
    const giveUp = () => {
      if (!this.underWay.has(number)) return;
      cancel();
      finish({ reason: "timeout", detail: `no complete answer within ${this.plan.timeoutMs} ms` });
    };
    const cancel = connection.send(request, finish);
  }

  /** Gives up a kept-alive connection that was opened in a rush beyond the pool's size. */
  private trim(kind: Kind, connection: Connection): void {
    const pool = this.pools.get(kind as RateKind);
    const place = pool?.connections.indexOf(connection) ?? -1;
    if (!pool || place < 0) return;
    const excess = pool.connections.length > this.plan.keptConnections;
    if (excess || !connection.usable) {
      pool.connections.splice(place, 1);
      if (pool.next >= pool.connections.length) pool.next = 0;
      connection.destroy();
      this.open.delete(connection);
    }
  }

  private settle(
    started: number,
    latency: number,
    kind: Kind,
    path: PathSpec,
    nonce: string | undefined,
    outcome: Outcome,
  ): void {
    this.recent.push(latency);
    if (isBroken(outcome)) {
      this.fail(started, latency, kind, path, outcome.reason, outcome.detail, undefined);
      return;
    }
    const fault = judge(outcome, nonce, path);
    if (fault) {
      this.fail(started, latency, kind, path, fault.reason, fault.detail, outcome.requestId);
      return;
    }
    const at = this.epoch + started;
    this.ok += 1;
    this.log.add(at, latency, kinds.indexOf(kind), okCode);
    const found = this.patterns.get(path)?.exec(outcome.body)?.[1];
    if (found !== undefined) this.tally(found, at);
  }

  private tally(value: string, at: number): void {
    const known = Object.hasOwn(this.answers, value) ? this.answers[value] : undefined;
    if (known) {
      known.count += 1;
      known.firstAt = Math.min(known.firstAt, at);
      known.lastAt = Math.max(known.lastAt, at);
    } else if (Object.keys(this.answers).length < mostTallies) {
      this.answers[value] = { count: 1, firstAt: at, lastAt: at };
    }
  }

  private fail(
    started: number,
    latencyMs: number,
    kind: Kind,
    path: PathSpec,
    reason: Reason,
    detail: string,
    requestId: string | undefined,
  ): void {
    const at = this.epoch + started;
    const code = reasons.indexOf(reason) + 1;
    this.failed += 1;
    if (code === notSentCode) this.notSent += 1;
    this.log.add(at, latencyMs, kinds.indexOf(kind), code);
    const minute = `${reason} ${Math.floor(at / 60_000)}`;
    const known = this.samplesByMinute.get(minute) ?? 0;
    if (known >= samplesPerMinute) return;
    this.samplesByMinute.set(minute, known + 1);
    this.samples.push({ at, kind, path: path.path, reason, detail, latencyMs, requestId });
  }

  private startIdle(): void {
    const { connections, kinds: available } = this.plan.idle;
    for (let i = 0; i < connections; i++) {
      const kind = available[i % available.length];
      // The first requests are spread over a second, so that they do not come in one burst.
      if (kind) this.idle(kind, undefined, this.random() * 1000);
    }
  }

  private idle(kind: IdleKind, connection: Connection | undefined, waitMs: number): void {
    const timer = setTimeout(() => {
      this.idleTimers.delete(timer);
      const live = () => {
        if (connection?.usable) return connection;
        if (connection) {
          this.reopened += 1;
          this.open.delete(connection);
        }
        return this.connect(kind);
      };
      this.exchange(kind, this.pickPath(), live, (used) => {
        if (this.stopped !== undefined) return;
        const { minMs, maxMs } = this.plan.idle;
        this.idle(kind, used, minMs + this.random() * (maxMs - minMs));
      });
    }, waitMs);
    this.idleTimers.add(timer);
  }
}

function outgoing(path: PathSpec, nonce: string | undefined, once: boolean): Outgoing {
  const inQuery = nonce !== undefined && path.nonce === "query";
  const separator = path.path.includes("?") ? "&" : "?";
  return {
    path: inQuery ? `${path.path}${separator}nonce=${nonce}` : path.path,
    headers: {
      "User-Agent": "holdfast-load",
      ...(nonce !== undefined && !inQuery && { [nonceHeader]: nonce }),
      // A connection for one request ends with it, as with clients that keep nothing alive.
      ...(once && { Connection: "close" }),
    },
  };
}
