import { BrokenCircuitError, type CircuitBreakerPolicy } from "cockatiel";
import type { Logger } from "pino";
import { createBreaker } from "../breaker";
import type { Metrics } from "../metrics";
import type { SqlConnection, SqlResult, SqlValue } from "./connection";
import {
  commitMayHaveHappened,
  connectionSurvives,
  DatabaseUnavailable,
  errorLabel,
  faultOf,
  OutcomeUnknown,
} from "./errors";
import { includesGtids, joinGtids } from "./gtid";
import { Pool } from "./pool";
import { GaveUp, RetryBudget, withRetries, type Attempt } from "./retry";

/** Connections are not used longer: a load balancer under replacement waits for them to end. */
const connectionAgeMs = 15_000;
/**
 * Limit for an attempt at a read, and for the wait for a connection. Who is asked may stand still
 * for a moment, and is no better off when everybody then asks twice; of a server that is gone the
 * load balancers tell sooner, by ending its sessions.
 */
const attemptMs = 2500;
/** Limit for a statement of a write; a commit may have to wait for the group. */
const writeStatementMs = 4000;
/** Most writes that may be under way or wait for a primary. */
const mostWrites = 500;

export interface DatabaseOptions {
  readonly poolSize: number;
  readonly readWaitMs: number;
  readonly writeWaitMs: number;
  readonly consistencyWaitMs: number;
  /** Opens a session with the server of that role. */
  readonly connect: (side: Side, lost: () => void) => Promise<SqlConnection>;
}

const sides = ["primary", "replicas"] as const;
export type Side = (typeof sides)[number];

/** Runs one statement within what is left of the request's time. */
export type Statements = (sql: string, values?: readonly SqlValue[]) => Promise<SqlResult>;

export interface ReadOptions {
  /** GTIDs that the result must include. Default: none. */
  readonly after?: string | undefined;
  /**
   * Asks for what the result includes, and for a replica that has these GTIDs, if only a moment has
   * to be waited for it. Default: neither.
   */
  readonly wish?: string | undefined;
}

export interface ReadResult<T> {
  readonly value: T;
  /** GTIDs that the result includes for certain; empty unless asked for. */
  readonly covers: string;
}

export interface WriteResult<T> {
  readonly value: T;
  /** GTIDs of the transaction. */
  readonly gtids: string;
}

/** Thrown by the work of a write: roll back, and let this be the result instead. */
export class Instead<T> extends Error {
  override name = "Instead";

  constructor(readonly result: (run: Statements) => Promise<WriteResult<T>>) {
    super("another result than the transaction's");
  }
}

/** The replica has not seen what the result must include; the primary has, and it will soon. */
class Behind extends Error {
  override name = "Behind";
}

interface Server {
  readonly pool: Pool<SqlConnection>;
  readonly breaker: CircuitBreakerPolicy;
}

/** Reads on replicas, writes on the primary, each again on another connection where that helps. */
export class Database {
  private readonly servers: Readonly<Record<Side, Server>>;
  private readonly budget = new RetryBudget({ share: 0.2, perSecond: 10, most: 300 });
  private writes = 0;

  constructor(
    private readonly options: DatabaseOptions,
    private readonly metrics: Metrics,
    private readonly log: Logger,
  ) {
    this.servers = { primary: this.server("primary"), replicas: this.server("replicas") };
  }

  /**
   * Reads on a replica; on the primary where replicas fail or lag behind what must be included.
   * Throws DatabaseUnavailable where no server answers in time.
   */
  async read<T>(
    work: (run: Statements) => Promise<T>,
    options: ReadOptions = {},
  ): Promise<ReadResult<T>> {
    try {
      return await withRetries(
        {
          waitMs: this.options.readWaitMs,
          backoff: { firstMs: 20, mostMs: 300 },
          budget: this.budget,
          retryable: (error) => error instanceof Behind || faultOf(error) === "unavailable",
          onRetry: (error) => this.retried("read", error),
        },
        (attempt) => this.readOnce(attempt, work, options),
      );
    } catch (error) {
      throw this.unavailable("read", error, "none");
    }
  }

  /**
   * Runs the work in a transaction on the primary, waiting for one if need be. The work is run
   * again where an attempt failed, also where its commit may have happened: it must recognise its
   * own result (see idempotency.ts). Its own errors end the transaction and are thrown as they are.
   * Throws DatabaseUnavailable where no primary takes it in time.
   */
  async write<T>(work: (run: Statements, attempt: number) => Promise<T>): Promise<WriteResult<T>> {
    if (this.writes >= mostWrites) {
      throw this.unavailable("write", new GaveUp("budget", "too many writes are waiting"), "none");
    }
    const seen = { unknown: false };
    const begun = performance.now();
    const ended = (result: string) =>
      this.metrics.writeWait.observe({ result }, (performance.now() - begun) / 1000);
    this.metrics.writesWaiting.set((this.writes += 1));
    try {
      const result = await withRetries(
        {
          waitMs: this.options.writeWaitMs,
          backoff: { firstMs: 50, mostMs: 500 },
          budget: this.budget,
          retryable: (error) => ["unavailable", "not-primary", "conflict"].includes(faultOf(error)),
          onRetry: (error) => this.retried("write", error),
        },
        async ({ number, remainingMs }) => {
          const until = performance.now() + remainingMs;
          const commitMs = () =>
            Math.max(attemptMs, Math.min(writeStatementMs, until - performance.now()));
          try {
            return await this.on("primary", remainingMs, writeStatementMs, (run, connection) =>
              transaction(run, connection, commitMs, () => work(run, number)),
            );
          } catch (error) {
            seen.unknown ||= error instanceof OutcomeUnknown;
            throw error;
          }
        },
      );
      ended("done");
      return result;
    } catch (error) {
      const thrown = this.unavailable("write", error, seen.unknown ? "unknown" : "none");
      ended(thrown instanceof DatabaseUnavailable ? "gave-up" : "refused");
      throw thrown;
    } finally {
      this.metrics.writesWaiting.set((this.writes -= 1));
    }
  }

  /** Runs the work on the primary, outside of any transaction; once. */
  async onPrimary<T>(work: (run: Statements) => Promise<T>): Promise<T> {
    return this.on("primary", this.options.writeWaitMs, writeStatementMs, work);
  }

  /** Brings the gauges of the pools up to date. */
  observe(): void {
    for (const side of sides) {
      const { inUse, idle, waiting } = this.servers[side].pool.use();
      this.metrics.poolConnections.set({ pool: side, state: "in-use" }, inUse);
      this.metrics.poolConnections.set({ pool: side, state: "idle" }, idle);
      this.metrics.poolWaiting.set({ pool: side }, waiting);
    }
  }

  close(): void {
    for (const side of sides) this.servers[side].pool.close();
  }

  private server(side: Side): Server {
    return {
      pool: new Pool({
        size: this.options.poolSize,
        maxAgeMs: connectionAgeMs,
        maxWaiting: mostWrites,
        connect: async (lost) => {
          try {
            const connection = await this.options.connect(side, lost);
            this.metrics.poolConnects.inc({ pool: side, result: "ok" });
            return connection;
          } catch (error) {
            this.metrics.poolConnects.inc({ pool: side, result: "failed" });
            throw error;
          }
        },
        destroy: (connection) => connection.destroy(),
      }),
      breaker: createBreaker(
        {
          name: side,
          failures: 5,
          retryAfterMs: 200,
          counts: (error) => ["unavailable", "not-primary"].includes(faultOf(error)),
        },
        this.metrics,
      ),
    };
  }

  private async readOnce<T>(
    { number, remainingMs }: Attempt,
    work: (run: Statements) => Promise<T>,
    options: ReadOptions,
  ): Promise<ReadResult<T>> {
    const limitMs = Math.min(remainingMs, attemptMs);
    const onReplicas = () => this.readOnReplicas(limitMs, work, options);
    const onPrimary = () => this.readOnPrimary(limitMs, work, options);
    // In turn: another connection to the replicas may end at the one that has just failed.
    const [first, second] = number % 2 === 1 ? [onPrimary, onReplicas] : [onReplicas, onPrimary];
    try {
      return await first();
    } catch (error) {
      if (error instanceof BrokenCircuitError) return second();
      if (error instanceof Behind) return onPrimary();
      throw error;
    }
  }

  private async readOnReplicas<T>(
    remainingMs: number,
    work: (run: Statements) => Promise<T>,
    { after = "", wish }: ReadOptions,
  ): Promise<ReadResult<T>> {
    return this.on("replicas", remainingMs, attemptMs, async (run) => {
      const asked = after !== "" || wish !== undefined;
      const covers = asked ? await this.catchUp(run, after, wish ?? "") : "";
      const value = await work(run);
      this.metrics.reads.inc({ from: "replicas" });
      return { value, covers };
    });
  }

  /** The primary has every write that anyone was told of. */
  private async readOnPrimary<T>(
    remainingMs: number,
    work: (run: Statements) => Promise<T>,
    { wish }: ReadOptions,
  ): Promise<ReadResult<T>> {
    return this.on("primary", remainingMs, attemptMs, async (run) => {
      const covers = wish === undefined ? "" : await executedGtids(run);
      const value = await work(run);
      this.metrics.reads.inc({ from: "primary" });
      return { value, covers };
    });
  }

  /**
   * What the replica has executed for certain, after a short wait for `after` and `wish` if need be.
   * Throws Behind if it still lacks `after`.
   */
  private async catchUp(run: Statements, after: string, wish: string): Promise<string> {
    const executed = await executedGtids(run);
    const wanted = joinGtids([after, wish]);
    if (includesGtids(executed, wanted)) {
      if (after !== "") this.metrics.consistency.inc({ result: "seen" });
      return executed;
    }
    const seconds = this.options.consistencyWaitMs / 1000;
    const { rows } = await run("SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS late", [
      wanted,
      seconds,
    ]);
    if (Number(rows[0]?.late) === 0) {
      this.metrics.consistency.inc({ result: "waited" });
      return joinGtids([executed, wanted]);
    }
    if (includesGtids(executed, after)) return executed;
    this.metrics.consistency.inc({ result: "primary" });
    throw new Behind(`not executed within ${seconds} s: ${after}`);
  }

  /** One attempt on one side: within its breaker, with a connection of its own. */
  private async on<T>(
    side: Side,
    remainingMs: number,
    statementMs: number,
    work: (run: Statements, connection: SqlConnection) => Promise<T>,
  ): Promise<T> {
    const { pool, breaker } = this.servers[side];
    const deadline = performance.now() + remainingMs;
    const left = (most: number) => Math.max(1, Math.min(most, deadline - performance.now()));
    return breaker.execute(async () => {
      const begun = performance.now();
      try {
        return await pool.with(left(attemptMs), keeps, (connection) => {
          const waited = (performance.now() - begun) / 1000;
          this.metrics.poolWait.observe({ pool: side }, waited);
          return work(
            (sql, values = []) => connection.execute(sql, values, left(statementMs)),
            connection,
          );
        });
      } catch (error) {
        this.note(side, error);
        throw error;
      }
    });
  }

  private note(side: Side, error: unknown): void {
    const fault = faultOf(error);
    // Errors of the work itself, such as "no such row", are not the database's.
    if (fault === "other" && !isDriverError(error)) return;
    const code = errorLabel(error);
    this.metrics.databaseErrors.inc({ pool: side, fault, code });
    if (fault === "duplicate") return;
    // The primary has moved: what is left of the connections to the old one is of no use.
    if (fault === "not-primary") this.servers[side].pool.discardIdle();
    const level = fault === "other" ? "error" : "debug";
    this.log[level]({ pool: side, fault, code, err: error }, "the database answered with an error");
  }

  /** As often as the budget allows: whoever looks for the reason of slow requests finds it here. */
  private retried(operation: string, error: unknown): void {
    this.metrics.retries.inc({ operation });
    const reason = String(error instanceof OutcomeUnknown ? error.cause : error);
    this.log.warn({ operation, code: errorLabel(error), reason }, "the database is asked again");
  }

  private unavailable(operation: string, error: unknown, outcome: "none" | "unknown"): unknown {
    if (!(error instanceof GaveUp)) return error;
    this.metrics.gaveUp.inc({ operation, reason: error.reason });
    const cause = error.cause;
    this.log.warn(
      { operation, outcome, code: errorLabel(cause), reason: String(cause) },
      `gave up: ${error.message}`,
    );
    return new DatabaseUnavailable(error.message, outcome, cause);
  }
}

const isDriverError = (error: unknown) =>
  typeof error === "object" && error !== null && "errno" in error;

/** Errors that are not the database's leave a connection without a transaction and in order. */
const keeps = (error: unknown) =>
  error instanceof Behind ||
  connectionSurvives(error) ||
  (faultOf(error) === "other" && !isDriverError(error));

/** Everything that the server has executed. */
export async function executedGtids(run: Statements): Promise<string> {
  const { rows } = await run("SELECT @@GLOBAL.gtid_executed AS executed");
  return String(rows[0]?.executed ?? "").replace(/\s/g, "");
}

async function transaction<T>(
  run: Statements,
  connection: SqlConnection,
  commitMs: () => number,
  work: () => Promise<T>,
): Promise<WriteResult<T>> {
  await connection.query("START TRANSACTION", attemptMs);
  let value: T;
  try {
    value = await work();
  } catch (error) {
    if (keeps(error)) await connection.query("ROLLBACK", attemptMs);
    if (error instanceof Instead) return (error as Instead<T>).result(run);
    throw error;
  }
  try {
    // It may have to wait for the group; and what is given up here has an unknown outcome.
    const { gtids } = await connection.query("COMMIT", commitMs());
    return { value, gtids };
  } catch (error) {
    throw commitMayHaveHappened(error) ? new OutcomeUnknown(error) : error;
  }
}
