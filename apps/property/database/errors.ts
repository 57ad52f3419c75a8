/*
 * What an error of the database means for the request that met it.
 */

/**
 * - `unavailable`: no server, or not any more: another connection may do.
 * - `not-primary`: the server takes no writes (any more): the primary has moved or is moving.
 * - `conflict`: the transaction was rolled back for the sake of another; it may be repeated.
 * - `duplicate`: a unique key is taken.
 * - `other`: repeating will not help.
 */
export type Fault = "unavailable" | "not-primary" | "conflict" | "duplicate" | "other";

/** All attempts failed, or there was no time for another. */
export class DatabaseUnavailable extends Error {
  override name = "DatabaseUnavailable";

  /** `outcome`: whether the work may have been done after all. */
  constructor(
    message: string,
    readonly outcome: "none" | "unknown",
    cause: unknown,
  ) {
    super(message, { cause });
  }
}

/** A commit was sent and not answered: the transaction may be there or not. */
export class OutcomeUnknown extends Error {
  override name = "OutcomeUnknown";

  constructor(override readonly cause: unknown) {
    super(`no answer to a commit: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Another transaction was in the way; the same again may succeed. */
export class Conflict extends Error {
  override name = "Conflict";
}

/** The pool had no connection in time. */
export class PoolTimeout extends Error {
  override name = "PoolTimeout";
  readonly code = "POOL_TIMEOUT";
}

const byNumber: Readonly<Record<number, Fault>> = {
  1040: "unavailable", // too many connections
  1045: "unavailable", // access denied: the account is not there yet, or its password is rotated
  1049: "unavailable", // unknown database: not there yet
  1053: "unavailable", // shutdown in progress
  1077: "unavailable", // normal shutdown
  1152: "unavailable", // aborted connection
  1158: "unavailable", // network errors while reading and writing
  1159: "unavailable",
  1160: "unavailable",
  1161: "unavailable",
  1184: "unavailable", // aborted connection
  1203: "unavailable", // too many connections of this account
  1226: "unavailable", // the account's resources are used up
  1317: "unavailable", // the query was interrupted
  1927: "unavailable", // the connection was killed
  2006: "unavailable", // server has gone away
  2013: "unavailable", // lost connection during the query
  3024: "unavailable", // the query took longer than it may
  3032: "unavailable", // the server is in offline mode
  3169: "unavailable", // the session was killed
  4031: "unavailable", // disconnected for inactivity
  1290: "not-primary", // --super-read-only
  1792: "not-primary", // read-only transaction
  1836: "not-primary", // read-only mode
  3100: "not-primary", // a replication hook failed
  3101: "not-primary", // rolled back by the group
  3796: "not-primary", // the group's consistency could not be kept
  3797: "not-primary",
  3798: "not-primary",
  1205: "conflict", // waited too long for a lock
  1213: "conflict", // deadlock
  1062: "duplicate",
};

const unavailableCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_SEQUENCE_TIMEOUT",
  "PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR",
  "HANDSHAKE_NO_SSL_SUPPORT",
  "POOL_TIMEOUT",
]);

interface DatabaseError {
  readonly errno?: unknown;
  readonly code?: unknown;
  readonly fatal?: unknown;
}

/** What the error means. Errors that are not the database's own count as `other`. */
export function faultOf(error: unknown): Fault {
  if (error instanceof OutcomeUnknown) return faultOf(error.cause);
  if (error instanceof Conflict) return "conflict";
  if (typeof error !== "object" || error === null) return "other";
  const { errno, code, fatal } = error as DatabaseError;
  if (typeof errno === "number" && byNumber[errno]) return byNumber[errno];
  if (typeof code === "string") {
    if (unavailableCodes.has(code) || /^(CERT_|ERR_TLS|ERR_SSL|UNABLE_TO_|DEPTH_)/.test(code)) {
      return "unavailable";
    }
  }
  // The driver marks what ends a connection.
  return fatal === true ? "unavailable" : "other";
}

/** True where the transaction may have been committed though its commit ended in this error. */
export function commitMayHaveHappened(error: unknown): boolean {
  const { errno } = error as DatabaseError;
  // Refused before anything was done, or rolled back for certain.
  return ![1205, 1213, 1290, 1792, 1836, 3101].includes(Number(errno));
}

/** True where the connection is as usable after the error as before. */
export function connectionSurvives(error: unknown): boolean {
  const fault = faultOf(error);
  return fault === "conflict" || fault === "duplicate";
}

/** A short name for metrics and logs, of a bounded number. */
export function errorLabel(error: unknown): string {
  const cause = error instanceof OutcomeUnknown ? error.cause : error;
  const { code } = (cause ?? {}) as DatabaseError;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : "other";
}
