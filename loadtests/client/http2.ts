import type { Socket } from "node:net";
import {
  maxBodyBytes,
  nameError,
  openSocket,
  type Broken,
  type Connection,
  type Done,
  type Outcome,
  type Outgoing,
} from "./connection";
import { decodeAnswer, encodeRequest, type AnswerHead } from "./hpack";
import type { Target } from "./options";

const frame = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;
const setting = { headerTableSize: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindow: 4 };

const maxFrameBytes = 16_384;
const maxHeadBytes = 64 * 1024;
const largestStream = 2 ** 31 - 1;
/** Far more than answers need, so that windows are never in the way. */
const windowBytes = 2 ** 30;

interface Stream {
  readonly id: number;
  readonly request: Outgoing;
  readonly done: Done;
  head: AnswerHead | undefined;
  block: Buffer[] | undefined;
  endsWithBlock: boolean;
  readonly body: Buffer[];
  received: number;
}

/**
 * An HTTP/2 connection over TLS that carries many requests at once. It is opened at once. Node's
 * own client drops requests that it was handed just before a GOAWAY came, some of them without a
 * word; this one writes a request when it is handed one, and tells what became of it.
 */
export class Http2Connection implements Connection {
  private readonly socket: Socket;
  private stage: "connecting" | "handshake" | "open" | "closed" = "connecting";
  private readonly streams = new Map<number, Stream>();
  private nextId = 1;
  private leaving = false;
  private most = 100;
  private pending: Buffer = Buffer.alloc(0);
  private taken = 0;
  /** The stream whose header block is not complete; only its continuation may follow. */
  private continues: Stream | undefined;

  constructor(private readonly target: Target) {
    const { socket, event } = openSocket(target, "h2");
    this.socket = socket;
    socket.once("connect", () => (this.stage = "handshake"));
    socket.once(event, () => this.opened());
    socket.on("data", (chunk) => this.read(chunk));
    socket.on("end", () => this.ended());
    socket.on("error", (error) => this.failed(error));
    socket.on("close", () => this.ended());
  }

  get usable(): boolean {
    return !this.leaving && this.stage !== "closed" && this.nextId < largestStream;
  }

  /** True while it carries as many requests as the server allows at once. */
  get busy(): boolean {
    return this.streams.size >= this.most;
  }

  send(request: Outgoing, done: Done): () => void {
    const stream: Stream = {
      id: this.nextId,
      request,
      done,
      head: undefined,
      block: undefined,
      endsWithBlock: false,
      body: [],
      received: 0,
    };
    this.nextId += 2;
    this.streams.set(stream.id, stream);
    if (this.stage === "open") this.write(stream);
    return () => {
      if (!this.streams.delete(stream.id)) return;
      if (this.stage === "open") this.put(frame.resetStream, 0, stream.id, number32(8));
      this.retire();
    };
  }

  destroy(): void {
    this.stage = "closed";
    this.socket.destroy();
  }

  private opened(): void {
    this.stage = "open";
    if (!("alpnProtocol" in this.socket) || this.socket.alpnProtocol !== "h2") {
      this.breakOff({ reason: "protocol", detail: "the server does not speak HTTP/2" });
      return;
    }
    this.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
    const settings: [number, number][] = [
      [setting.headerTableSize, 0],
      [setting.enablePush, 0],
      [setting.initialWindow, windowBytes],
    ];
    const payload = Buffer.alloc(settings.length * 6);
    settings.forEach(([key, value], i) => {
      payload.writeUInt16BE(key, i * 6);
      payload.writeUInt32BE(value, i * 6 + 2);
    });
    this.put(frame.settings, 0, 0, payload);
    this.put(frame.windowUpdate, 0, 0, number32(windowBytes));
    for (const stream of this.streams.values()) this.write(stream);
  }

  private write({ id, request }: Stream): void {
    const block = encodeRequest(this.target.authority, request.path, request.headers);
    this.put(frame.headers, flag.endStream | flag.endHeaders, id, block);
  }

  private put(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.socket.write(Buffer.concat([head, payload]));
  }

  private read(chunk: Buffer): void {
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    try {
      while (this.stage === "open" && this.pending.length >= 9) {
        const length = this.pending.readUIntBE(0, 3);
        if (length > maxFrameBytes) throw new Error("a frame is too large");
        if (this.pending.length < 9 + length) return;
        const type = this.pending[3] ?? 0;
        const flags = this.pending[4] ?? 0;
        const stream = this.pending.readUInt32BE(5) & largestStream;
        const payload = this.pending.subarray(9, 9 + length);
        this.pending = this.pending.subarray(9 + length);
        this.take(type, flags, stream, payload);
      }
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.breakOff({ reason: "protocol", detail });
    }
  }

  private take(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.continues && (type !== frame.continuation || id !== this.continues.id)) {
      throw new Error("headers are not continued");
    }
    // Unknown for streams that were given up: their answers are dropped.
    const stream = this.streams.get(id);
    switch (type) {
      case frame.data:
        this.replenish(payload.length);
        if (stream) this.takeData(stream, flags, unpadded(payload, flags));
        return;
      case frame.headers: {
        const bytes = unpadded(payload, flags);
        const block = flags & flag.priority ? bytes.subarray(5) : bytes;
        if (stream) this.takeHead(stream, flags, block, (flags & flag.endStream) !== 0);
        return;
      }
      case frame.continuation:
        if (stream) this.takeHead(stream, flags, payload, stream.endsWithBlock);
        return;
      case frame.resetStream: {
        const code = payload.readUInt32BE(0);
        const why = code === 7 ? "refused by the server" : `reset with code ${code}`;
        if (stream) this.finish(stream, { reason: "reset", detail: `stream ${why} ${on(stream)}` });
        return;
      }
      case frame.settings:
        if (!(flags & flag.ack)) this.takeSettings(payload);
        return;
      case frame.ping:
        if (!(flags & flag.ack)) this.put(frame.ping, flag.ack, 0, payload);
        return;
      case frame.goaway:
        this.takeGoaway(payload);
        return;
      case frame.pushPromise:
        throw new Error("the server pushes although it must not");
    }
  }

  private takeSettings(payload: Buffer): void {
    for (let i = 0; i + 6 <= payload.length; i += 6) {
      if (payload.readUInt16BE(i) === setting.maxConcurrentStreams) {
        this.most = payload.readUInt32BE(i + 2);
      }
    }
    this.put(frame.settings, flag.ack, 0, Buffer.alloc(0));
  }

  /** The server takes no new requests, and none above the stream that it names. */
  private takeGoaway(payload: Buffer): void {
    const last = payload.readUInt32BE(0) & largestStream;
    const code = payload.readUInt32BE(4);
    for (const stream of [...this.streams.values()]) {
      if (stream.id > last) {
        const detail = `not taken by the server any more (GOAWAY, code ${code}) ${on(stream)}`;
        this.finish(stream, { reason: "reset", detail });
      }
    }
    this.retire();
  }

  private takeHead(stream: Stream, flags: number, block: Buffer, ends: boolean): void {
    stream.block = [...(stream.block ?? []), block];
    stream.endsWithBlock = ends;
    if (!(flags & flag.endHeaders)) {
      const size = stream.block.reduce((sum, { length }) => sum + length, 0);
      if (size > maxHeadBytes) throw new Error("the headers are too large");
      this.continues = stream;
      return;
    }
    this.continues = undefined;
    // A second block is a trailer, unless the first was an interim answer (100, 103).
    if (!stream.head || stream.head.status < 200) {
      stream.head = decodeAnswer(Buffer.concat(stream.block));
    }
    stream.block = undefined;
    if (ends) this.complete(stream);
  }

  private takeData(stream: Stream, flags: number, bytes: Buffer): void {
    stream.received += bytes.length;
    if (stream.received > maxBodyBytes) throw new Error("the body is too large");
    stream.body.push(bytes);
    if (flags & flag.endStream) this.complete(stream);
  }

  private replenish(bytes: number): void {
    this.taken += bytes;
    if (this.taken < windowBytes / 2) return;
    this.put(frame.windowUpdate, 0, 0, number32(this.taken));
    this.taken = 0;
  }

  private complete(stream: Stream): void {
    const { head, body } = stream;
    if (!head) throw new Error("an answer has no headers");
    this.finish(stream, { ...head, body: Buffer.concat(body).toString("utf8") });
  }

  /** Takes no more requests; closes once those under way are done. */
  private retire(): void {
    this.leaving = true;
    if (this.streams.size === 0) this.destroy();
  }

  private finish(stream: Stream, outcome: Outcome): void {
    if (!this.streams.delete(stream.id)) return;
    if (this.leaving && this.streams.size === 0) this.destroy();
    stream.done(outcome);
  }

  private ended(): void {
    if (this.stage === "closed") return;
    const wasOpen = this.stage === "open";
    this.stage = "closed";
    this.breakOff({ reason: wasOpen ? "closed" : "tls", detail: "connection closed" });
  }

  private failed(error: Error): void {
    if (this.stage === "closed") return;
    const { stage } = this;
    this.stage = "closed";
    this.breakOff(nameError(error, stage, ""));
  }

  /** Ends the connection; every request on it has failed for the same reason. */
  private breakOff({ reason, detail }: Broken): void {
    this.leaving = true;
    this.destroy();
    for (const stream of [...this.streams.values()]) {
      this.finish(stream, { reason, detail: `${detail.trim()} ${on(stream)}` });
    }
  }
}

function on({ id, received }: Stream): string {
  return `after ${received} bytes of the body, on request ${(id + 1) / 2} of its connection`;
}

function unpadded(payload: Buffer, flags: number): Buffer {
  if (!(flags & flag.padded)) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new Error("a frame is all padding");
  return payload.subarray(1, payload.length - padding);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
