import type { Socket } from "node:net";
import {
  maxBodyBytes,
  nameError,
  openSocket,
  type Connection,
  type Done,
  type Incoming,
  type Outcome,
  type Outgoing,
} from "./connection";
import type { Target } from "./options";

const maxHeadBytes = 64 * 1024;

/** An HTTP/1.1 answer that arrives in pieces. */
export class AnswerReader {
  /** True where the server leaves the connection open after this answer. */
  keepAlive = true;
  /** Bytes taken in so far. */
  received = 0;
  private status = 0;
  private headers: Record<string, string> = {};
  private framing: "head" | "length" | "chunk-size" | "chunk" | "trailer" | "until-close" = "head";
  private left = 0;
  private pending: Buffer = Buffer.alloc(0);
  private readonly body: Buffer[] = [];
  private bodyBytes = 0;

  /** Takes in bytes; returns the answer once it is complete. Throws on what is not HTTP/1.1. */
  push(chunk: Buffer): Incoming | undefined {
    this.received += chunk.length;
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    for (;;) {
      switch (this.framing) {
        case "head": {
          const end = this.pending.indexOf("\r\n\r\n");
          if (end < 0) {
            if (this.pending.length > maxHeadBytes) throw new Error("the headers are too large");
            return undefined;
          }
          const head = this.take(end + 4).toString("latin1", 0, end);
          this.readHead(head);
          break;
        }
        case "length": {
          if (this.pending.length < this.left) return undefined;
          this.keep(this.take(this.left));
          return this.complete();
        }
        case "chunk-size": {
          const line = this.line();
          if (line === undefined) return undefined;
          if (!/^[0-9a-f]+\s*(;.*)?$/i.test(line)) throw new Error("a chunk has no valid size");
          this.left = parseInt(line, 16);
          this.framing = this.left === 0 ? "trailer" : "chunk";
          break;
        }
        case "chunk": {
          if (this.bodyBytes + this.left > maxBodyBytes) throw new Error("the body is too large");
          if (this.pending.length < this.left + 2) return undefined;
          this.keep(this.take(this.left));
          if (this.take(2).toString("latin1") !== "\r\n") throw new Error("a chunk has no end");
          this.framing = "chunk-size";
          break;
        }
        case "trailer": {
          const line = this.line();
          if (line === undefined) return undefined;
          if (line === "") return this.complete();
          break;
        }
        case "until-close": {
          this.keep(this.take(this.pending.length));
          return undefined;
        }
      }
    }
  }

  /** The server closed its side; returns the answer where that is what ends it. */
  end(): Incoming | undefined {
    return this.framing === "until-close" ? this.complete() : undefined;
  }

  private readHead(head: string): void {
    const [statusLine = "", ...lines] = head.split("\r\n");
    const match = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(statusLine);
    if (!match) throw new Error(`found ${JSON.stringify(statusLine.slice(0, 80))} as status line`);
    this.status = Number(match[2]);
    this.keepAlive = match[1] === "1";
    this.headers = {};
    let length: number | undefined;
    let chunked = false;
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      this.headers[name] = value;
      if (name === "content-length") {
        if (!/^\d+$/.test(value)) throw new Error("the content length is not a number");
        length = Number(value);
      } else if (name === "transfer-encoding") {
        chunked = /(^|,)\s*chunked$/i.test(value);
      } else if (name === "connection") {
        if (/\bclose\b/i.test(value)) this.keepAlive = false;
        else if (/\bkeep-alive\b/i.test(value)) this.keepAlive = true;
      }
    }
    // An interim answer (100, 103) comes before the real one.
    if (this.status < 200) return;
    if (chunked) {
      this.framing = "chunk-size";
    } else if (length !== undefined || this.status === 204 || this.status === 304) {
      this.left = this.status === 204 || this.status === 304 ? 0 : (length ?? 0);
      if (this.left > maxBodyBytes) throw new Error("the body is too large");
      this.framing = "length";
    } else {
      this.keepAlive = false;
      this.framing = "until-close";
    }
  }

  private complete(): Incoming {
    if (this.pending.length > 0) throw new Error("bytes follow the end of the answer");
    return {
      status: this.status,
      body: Buffer.concat(this.body).toString("utf8"),
      requestId: this.headers["x-request-id"],
      headers: this.headers,
    };
  }

  private keep(bytes: Buffer): void {
    this.bodyBytes += bytes.length;
    if (this.bodyBytes > maxBodyBytes) throw new Error("the body is too large");
    this.body.push(bytes);
  }

  private take(count: number): Buffer {
    const taken = this.pending.subarray(0, count);
    this.pending = this.pending.subarray(count);
    return taken;
  }

  private line(): string | undefined {
    const end = this.pending.indexOf("\r\n");
    if (end < 0) {
      if (this.pending.length > maxHeadBytes) throw new Error("a line is too long");
      return undefined;
    }
    return this.take(end + 2).toString("latin1", 0, end);
  }
}

/** An HTTP/1.1 connection that carries one request at a time. It is opened at once. */
export class Http1Connection implements Connection {
  private readonly socket: Socket;
  private stage: "connecting" | "handshake" | "open" | "closed" = "connecting";
  private current: { request: Outgoing; reader: AnswerReader; done: Done } | undefined;
  private requests = 0;

  constructor(private readonly target: Target) {
    const { socket, event } = openSocket(target, "http/1.1");
    this.socket = socket;
    if (target.tls) socket.once("connect", () => (this.stage = "handshake"));
    socket.once(event, () => {
      this.stage = "open";
      this.write();
    });
    socket.on("data", (chunk) => this.read(chunk));
    socket.on("end", () => this.ended());
    socket.on("error", (error) => this.failed(error));
    socket.on("close", () => this.ended());
  }

  get usable(): boolean {
    return this.stage !== "closed";
  }

  get busy(): boolean {
    return this.current !== undefined;
  }

  send(request: Outgoing, done: Done): () => void {
    if (this.current) throw new Error("the connection already carries a request");
    const exchange = { request, reader: new AnswerReader(), done };
    this.current = exchange;
    this.requests += 1;
    if (this.stage === "open") this.write();
    return () => {
      if (this.current !== exchange) return;
      this.current = undefined;
      this.destroy();
    };
  }

  destroy(): void {
    this.stage = "closed";
    this.socket.destroy();
  }

  private write(): void {
    if (!this.current) return;
    const { method = "GET", path, headers, body } = this.current.request;
    let text = `${method} ${path} HTTP/1.1\r\nHost: ${this.target.authority}\r\n`;
    for (const name in headers) text += `${name}: ${headers[name] ?? ""}\r\n`;
    if (body !== undefined) text += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    this.socket.write(`${text}\r\n${body ?? ""}`, "utf8");
  }

  private read(chunk: Buffer): void {
    if (!this.current) {
      // Nothing was asked: the server says goodbye (408) or speaks out of turn.
      this.destroy();
      return;
    }
    const { reader } = this.current;
    let answer: Incoming | undefined;
    try {
      answer = reader.push(chunk);
    } catch (error) {
      this.destroy();
      this.finish({
        reason: "protocol",
        detail: error instanceof Error ? error.message : String(error),
      });
      return;
    }
    if (!answer) return;
    if (!reader.keepAlive) this.destroy();
    this.finish(answer);
  }

  private ended(): void {
    const wasOpen = this.stage === "open" || this.stage === "closed";
    this.destroy();
    if (!this.current) return;
    const answer = this.current.reader.end();
    this.finish(
      answer ?? {
        reason: wasOpen ? "closed" : this.target.tls ? "tls" : "connect",
        detail: `closed ${this.context()}`,
      },
    );
  }

  private failed(error: Error): void {
    const stage = this.stage === "closed" ? "open" : this.stage;
    this.destroy();
    if (this.current) this.finish(nameError(error, stage, this.context()));
  }

  private context(): string {
    if (this.stage !== "open" && this.requests <= 1 && !this.current?.reader.received) {
      return "before an answer, on a new connection";
    }
    const which =
      this.requests > 1 ? `request ${this.requests} of its connection` : "a new connection";
    return `after ${this.current?.reader.received ?? 0} bytes of the answer, on ${which}`;
  }

  private finish(outcome: Outcome): void {
    const { current } = this;
    this.current = undefined;
    current?.done(outcome);
  }
}
