import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BinlogScanner, type Transaction } from "./binlog";

const chunkLength = 1 << 20;

/** A binary log on disk that may still grow. */
export class BinlogFile {
  private readonly scanner = new BinlogScanner();
  private offset = 0;

  constructor(readonly path: string) {}

  get previous() {
    return this.scanner.previous;
  }

  /** Length up to the end of the last complete transaction. */
  get end(): number {
    return this.scanner.end;
  }

  /** Bytes that were read. */
  get length(): number {
    return this.offset;
  }

  /** Calls `take` with every transaction that has become complete. Throws at the first damage. */
  read(take: (transaction: Transaction) => void): void {
    const file = openSync(this.path, "r");
    try {
      const { size } = fstatSync(file);
      while (this.offset < size) {
        const chunk = Buffer.alloc(Math.min(chunkLength, size - this.offset));
        const read = readSync(file, chunk, 0, chunk.length, this.offset);
        if (read === 0) return;
        this.offset += read;
        this.scanner.push(chunk.subarray(0, read), take);
      }
    } finally {
      closeSync(file);
    }
  }
}
