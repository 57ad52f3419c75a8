import { createHash } from "node:crypto";
import { executedGtids, Instead, type Statements } from "../database/database";
import { Conflict, faultOf } from "../database/errors";
import { HttpProblem } from "../http/problems";
import { toSqlTime } from "./queries";

/*
 * Every write is stored together with a key and its answer, in one transaction. A write whose
 * commit was not answered is sent again with the same key: where it had happened, its answer is
 * found instead of being done twice.
 */

/** Names a write. */
export interface WriteKey {
  /** The client's key, or one of our own. */
  readonly key: string;
  /** Says that two requests with the same key are the same. */
  readonly hash: Buffer;
  /** True where a client may come back with it. */
  readonly fromClient: boolean;
  readonly expires: Date;
}

/** What was done. */
export interface Answer {
  readonly status: number;
  /** JSON; empty where the answer has no body. */
  readonly body: string;
}

export interface Done extends Answer {
  /** True where it was found done. */
  readonly replayed: boolean;
}

/** Own keys need to outlive the attempts of one request alone. */
export const ownKeyMs = 600_000;

/** The same for requests that mean the same. */
export function requestHash(parts: readonly unknown[]): Buffer {
  return createHash("sha256").update(JSON.stringify(parts)).digest();
}

/** Work of a transaction that is done once for a key. `attempt`: 0 for the request's first. */
export async function once(
  run: Statements,
  attempt: number,
  { key, hash, fromClient, expires }: WriteKey,
  work: () => Promise<Answer>,
): Promise<Done> {
  try {
    await run(
      "INSERT INTO idempotency (idempotency_key, request_hash, expires_at) VALUES (?, ?, ?)",
      [key, hash, toSqlTime(expires)],
    );
  } catch (error) {
    if (faultOf(error) === "duplicate") {
      throw new Instead<Done>(async (again) => {
        const value = await storedAnswer(again, key, hash);
        // Its own GTID is not known any more; this includes it.
        return { value, gtids: await executedGtids(again) };
      });
    }
    // Somebody else's request with this key is under way. The attempt before this one is worth
    // waiting for instead.
    if (fromClient && attempt === 0 && faultOf(error) === "conflict") {
      const detail = "a request with this idempotency key is under way";
      throw new HttpProblem(409, detail, { outcome: "unknown" }, { "Retry-After": "1" });
    }
    throw error;
  }
  const answer = await work();
  await run("UPDATE idempotency SET status = ?, response = ? WHERE idempotency_key = ?", [
    answer.status,
    answer.body,
    key,
  ]);
  return { ...answer, replayed: false };
}

async function storedAnswer(run: Statements, key: string, hash: Buffer): Promise<Done> {
  const { rows } = await run(
    "SELECT request_hash, status, response FROM idempotency WHERE idempotency_key = ?",
    [key],
  );
  const [row] = rows;
  if (!row) throw new Conflict("the idempotency key was removed meanwhile");
  if (!hash.equals(row.request_hash as Buffer)) {
    const detail = "this idempotency key belongs to another request";
    throw new HttpProblem(422, detail, { outcome: "none" });
  }
  return { status: Number(row.status), body: String(row.response ?? ""), replayed: true };
}

/** Removes keys that have expired; returns how many, at most `most`. */
export async function removeExpired(run: Statements, now: Date, most: number): Promise<number> {
  const { affectedRows } = await run(
    `DELETE FROM idempotency WHERE expires_at < ? ORDER BY expires_at LIMIT ${most}`,
    [toSqlTime(now)],
  );
  return affectedRows;
}
