/*
 * Reads MySQL's binary logs as far as backups need it: which transactions a file holds, complete and
 * undamaged, when each was committed, and what it is about. Pure.
 */
import { crc32 } from "node:zlib";
import type { GtidSet } from "../mysql/gtid";
import { GtidCollector } from "./gtidCollector";

/** A complete transaction in a binary log. */
export interface Transaction {
  /** UUID of its source. */
  readonly source: string;
  readonly number: bigint;
  /** Microseconds since 1970 at which it was committed, by the clock of its first server. */
  readonly committedAt: bigint;
  /** Databases whose rows it changes, as far as the log tells. */
  readonly schemas: readonly string[];
  /** The statement that it consists of, where it changes no rows; the beginning of a long one. */
  readonly statement: { readonly database: string; readonly text: string } | undefined;
  /** Its events are packed, so `schemas` and `statement` are unknown. */
  readonly packed: boolean;
}

/** Thrown where a file is no binary log, is damaged, or holds what cannot be backed up. */
export class BinlogError extends Error {}

const magic = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const headerLength = 19;
const checksumLength = 4;
/** Of a statement this much is kept. */
const statementLength = 2000;
/** Larger than any event that a server writes. */
const maxEventLength = 0x4000_0000 + 0x10_0000;

const eventTypes = {
  query: 2,
  formatDescription: 15,
  tableMap: 19,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  packed: 40,
  taggedGtid: 42,
} as const;

/** Statements around the changes of a transaction. */
const framing = /^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE SAVEPOINT|XA (START|END))\b/i;

interface Open {
  readonly source: string;
  readonly number: bigint;
  readonly committedAt: bigint;
  /** Position in the file at which the transaction ends. */
  readonly end: number;
  readonly schemas: Set<string>;
  statement: Transaction["statement"];
  packed: boolean;
}

/** Reads one file, piece by piece as it grows. */
export class BinlogScanner {
  private rest: Buffer = Buffer.alloc(0);
  private position = 0;
  private checksums = false;
  private open: Open | undefined;
  private previousSet: GtidSet | undefined;
  private completeEnd = 0;

  /** What the server had executed before this file; undefined until the file says so. */
  get previous(): GtidSet | undefined {
    return this.previousSet;
  }

  /** Length of the file up to the end of its last complete transaction. */
  get end(): number {
    return this.completeEnd;
  }

  /**
   * Takes the next bytes of the file; calls `take` with every transaction that they complete. Throws
   * where they are damaged, after those before.
   */
  push(chunk: Buffer, take: (transaction: Transaction) => void): void {
    const data = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk;
    let at = 0;
    if (this.position === 0) {
      if (data.length < magic.length) {
        this.rest = data;
        return;
      }
      if (!data.subarray(0, magic.length).equals(magic)) {
        throw new BinlogError("it does not begin as a binary log does");
      }
      at = this.position = magic.length;
    }
    for (;;) {
      if (data.length - at < headerLength) break;
      const length = data.readUInt32LE(at + 9);
      if (length < headerLength || length > maxEventLength) {
        throw new BinlogError(`event at ${this.position} has an impossible length of ${length}`);
      }
      if (data.length - at < length) break;
      const transaction = this.event(data.subarray(at, at + length));
      if (transaction) take(transaction);
      at += length;
    }
    this.rest = Buffer.from(data.subarray(at));
  }

  private event(bytes: Buffer): Transaction | undefined {
    const type = bytes.readUInt8(4);
    const start = this.position;
    this.position += bytes.length;
    if (type === eventTypes.formatDescription) {
      this.checksums = bytes.readUInt8(bytes.length - checksumLength - 1) === 1;
    }
    const body = this.verified(bytes, start);
    switch (type) {
      case eventTypes.previousGtids:
        this.previousSet = previousGtids(body);
        break;
      case eventTypes.gtid:
        if (this.open) throw new BinlogError(`transaction within another at ${start}`);
        this.open = openTransaction(body, start);
        break;
      case eventTypes.anonymousGtid:
      case eventTypes.taggedGtid:
        throw new BinlogError(
          `transaction at ${start} has ${type === eventTypes.taggedGtid ? "a GTID with a tag" : "no GTID"}; such ones are not backed up`,
        );
      case eventTypes.query:
        this.query(body);
        break;
      case eventTypes.tableMap:
        this.open?.schemas.add(tableSchema(body));
        break;
      case eventTypes.packed:
        if (this.open) this.open.packed = true;
        break;
      default:
        break;
    }
    if (!this.open) {
      this.completeEnd = this.position;
      return undefined;
    }
    if (this.position < this.open.end) return undefined;
    if (this.position > this.open.end) {
      throw new BinlogError(`event at ${start} is longer than its transaction`);
    }
    const { source, number, committedAt, schemas, statement, packed } = this.open;
    this.open = undefined;
    this.completeEnd = this.position;
    return { source, number, committedAt, schemas: [...schemas], statement, packed };
  }

  /** The event without its checksum. Throws where that is wrong. */
  private verified(bytes: Buffer, start: number): Buffer {
    if (!this.checksums) return bytes;
    const body = bytes.subarray(0, bytes.length - checksumLength);
    if (crc32(body) !== bytes.readUInt32LE(body.length)) {
      throw new BinlogError(`event at ${start} is damaged: its checksum is wrong`);
    }
    return body;
  }

  private query(body: Buffer): void {
    if (!this.open) return;
    const databaseLength = body.readUInt8(headerLength + 8);
    const variablesLength = body.readUInt16LE(headerLength + 11);
    const databaseAt = headerLength + 13 + variablesLength;
    const textAt = databaseAt + databaseLength + 1;
    const text = body.toString("utf8", textAt, Math.min(body.length, textAt + statementLength));
    if (framing.test(text) || this.open.statement) return;
    const database = body.toString("utf8", databaseAt, databaseAt + databaseLength);
    this.open.statement = { database, text };
  }
}

function uuid(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/** Times are 55 bits; the bit above says that the time of the first server follows. */
function time(body: Buffer, at: number): { readonly value: bigint; readonly more: boolean } {
  const raw = BigInt(body.readUIntLE(at, 6)) | (BigInt(body.readUInt8(at + 6)) << 48n);
  return { value: raw & ((1n << 55n) - 1n), more: raw >> 55n === 1n };
}

/** A number in one, three, four or nine bytes, as its first byte tells. */
function packedNumber(body: Buffer, at: number): number {
  const first = body.readUInt8(at);
  if (first <= 250) return first;
  if (first === 252) return body.readUInt16LE(at + 1);
  if (first === 253) return body.readUIntLE(at + 1, 3);
  return Number(body.readBigUInt64LE(at + 1));
}

function openTransaction(body: Buffer, start: number): Open {
  const source = uuid(body.subarray(headerLength + 1, headerLength + 17));
  const number = body.readBigInt64LE(headerLength + 17);
  const timesAt = headerLength + 42;
  const immediate = time(body, timesAt);
  const original = immediate.more ? time(body, timesAt + 7) : immediate;
  const length = packedNumber(body, timesAt + (immediate.more ? 14 : 7));
  return {
    source,
    number,
    committedAt: original.value,
    end: start + length,
    schemas: new Set(),
    statement: undefined,
    packed: false,
  };
}

function tableSchema(body: Buffer): string {
  const length = body.readUInt8(headerLength + 8);
  return body.toString("utf8", headerLength + 9, headerLength + 9 + length);
}

function previousGtids(body: Buffer): GtidSet {
  let at = headerLength;
  const next = () => {
    const value = body.readBigUInt64LE(at);
    at += 8;
    return value;
  };
  const sources = next();
  // With tags the set is written in another form, marked in the highest byte.
  if (sources >> 56n !== 0n) throw new BinlogError("GTIDs with tags are not backed up");
  const collected = new GtidCollector();
  for (let index = 0n; index < sources; index++) {
    const source = uuid(body.subarray(at, at + 16));
    at += 16;
    const intervals = next();
    for (let interval = 0n; interval < intervals; interval++) {
      const first = next();
      collected.add(source, first, next() - 1n);
    }
  }
  return collected.set();
}
