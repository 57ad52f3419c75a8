/**
 * As much of HPACK (RFC 7541) as a load client needs: it writes headers without compression and
 * tells the peer (SETTINGS_HEADER_TABLE_SIZE 0) to keep no table, so that it can read the status of
 * an answer without one.
 */

/** Encodes a GET request's header block. Header names are written in lower case. */
export function encodeRequest(
  authority: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Buffer {
  // From the static table: `:method: GET` (2), `:scheme: https` (7); `:authority` is 1, `:path` 4.
  const parts = [Buffer.from([0x82, 0x87]), Buffer.from([0x01]), text(authority)];
  parts.push(Buffer.from([0x04]), text(path));
  for (const name in headers) {
    parts.push(Buffer.from([0x00]), text(name.toLowerCase()), text(headers[name] ?? ""));
  }
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

function integer(value: number, prefixBits: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** What a load client wants of an answer's headers. */
export interface AnswerHead {
  readonly status: number;
  readonly requestId: string | undefined;
}

/** Statuses in the static table, by index. */
const statusByIndex: Readonly<Record<number, number>> = {
  8: 200,
  9: 204,
  10: 206,
  11: 304,
  12: 400,
  13: 404,
  14: 500,
};
const statusNames = new Set(Object.keys(statusByIndex).map(Number));
const staticEntries = 61;

/** Reads status and request id out of a header block. Throws where it is not valid. */
export function decodeAnswer(block: Buffer): AnswerHead {
  let place = 0;
  const byte = (): number => {
    const value = block[place];
    if (value === undefined) throw new Error("the headers end early");
    place += 1;
    return value;
  };
  const number = (first: number, prefixBits: number): number => {
    const most = 2 ** prefixBits - 1;
    let value = first & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      if (factor > 2 ** 28) throw new Error("a number in the headers is too large");
      const next = byte();
      value += (next & 127) * factor;
      if (next < 128) return value;
    }
  };
  const string = (): { bytes: Buffer; huffman: boolean } => {
    const first = byte();
    const length = number(first, 7);
    if (place + length > block.length) throw new Error("the headers end early");
    place += length;
    return { bytes: block.subarray(place - length, place), huffman: first >= 128 };
  };

  let status: number | undefined;
  let requestId: string | undefined;
  while (place < block.length) {
    const first = byte();
    if (first >= 0x80) {
      const index = number(first, 7);
      if (index === 0 || index > staticEntries) throw new Error("the headers use a table");
      status ??= statusByIndex[index];
      continue;
    }
    if (first >= 0x20 && first < 0x40) {
      number(first, 5);
      continue;
    }
    const index = number(first, first >= 0x40 ? 6 : 4);
    if (index > staticEntries) throw new Error("the headers use a table");
    const name = index === 0 ? string() : undefined;
    const value = string();
    if (statusNames.has(index) || name?.bytes.toString("latin1") === ":status") {
      status ??= Number(value.huffman ? digits(value.bytes) : value.bytes.toString("latin1"));
    } else if (name && !name.huffman && name.bytes.toString("latin1") === "x-request-id") {
      requestId = value.huffman ? undefined : value.bytes.toString("latin1");
    }
  }
  if (status === undefined || !(status >= 100 && status <= 999)) {
    throw new Error("the headers have no status");
  }
  return { status, requestId };
}

/** Digits in Huffman code: 0 to 2 have five bits, the others six. */
function digits(bytes: Buffer): string {
  let bits = "";
  for (const value of bytes) bits += value.toString(2).padStart(8, "0");
  let found = "";
  while (!/^1*$/.test(bits)) {
    const short = parseInt(bits.slice(0, 5), 2);
    const long = parseInt(bits.slice(0, 6), 2);
    if (short <= 2) {
      found += String(short);
      bits = bits.slice(5);
    } else if (long >= 0b011001 && long <= 0b011111) {
      found += String(3 + long - 0b011001);
      bits = bits.slice(6);
    } else {
      throw new Error("the status is not a number");
    }
  }
  return found;
}
