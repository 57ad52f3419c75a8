import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import type { Transaction } from "../../../agents/backup/binlog";
import { projectRoot } from "../../../model/rendering";

/**
 * The beginning of a binary log of MySQL 9.7: twelve transactions, and a part of the thirteenth.
 * 1 to 9 make a database, accounts and two tables, 10 to 12 write rows.
 */
export const realBinlog: Buffer = gunzipSync(
  Buffer.from(
    readFileSync(path.join(projectRoot, "test/unit/support/binlog-9.7.b64"), "utf8"),
    "base64",
  ),
);

/** UUID of the server that wrote it. */
export const realServer = "751a4725-e58a-11f1-ab66-0242ac120002";

/** Where its transactions end. */
export const realEnds = [
  340, 654, 900, 1172, 1488, 1799, 2039, 2325, 2560, 5998, 6333, 6668,
] as const;

export const serverA = "aaaaaaaa-0000-0000-0000-000000000001";
export const serverB = "bbbbbbbb-0000-0000-0000-000000000002";

/** A transaction that writes rows of database `app`, unless told otherwise. */
export function transaction(number: number, changes: Partial<Transaction> = {}): Transaction {
  return {
    source: serverA,
    number: BigInt(number),
    committedAt: BigInt(number) * 1_000_000n,
    schemas: ["app"],
    statement: undefined,
    packed: false,
    ...changes,
  };
}
