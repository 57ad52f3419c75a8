import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import {
  isBroken,
  maxBodyBytes,
  nameError,
  openSocket,
  type Connection,
  type Done,
  type Outcome,
  type Outgoing,
} from "./connection";
import type { Target } from "./options";

/** An HTTP/2 connection over TLS that carries many requests at once. It is opened at once. */
export class Http2Connection implements Connection {
  private readonly session: ClientHttp2Session;
  private stage: "connecting" | "handshake" | "open" = "connecting";
  private error: NodeJS.ErrnoException | undefined;
  private leaving = false;
  private requests = 0;
  private pending = 0;

  constructor(target: Target) {
    const { socket, event } = openSocket(target, "h2");
    socket.once("connect", () => (this.stage = "handshake"));
    socket.once(event, () => (this.stage = "open"));
    // The session hides why its socket broke.
    socket.on("error", (error) => (this.error ??= error));
    this.session = connect(`https://${target.authority}`, { createConnection: () => socket });
    this.session.on("error", (error: Error) => (this.error ??= error));
    this.session.on("goaway", () => this.retire());
    this.session.on("close", () => (this.leaving = true));
  }

  get usable(): boolean {
    return !this.leaving && !this.session.closed && !this.session.destroyed;
  }

  get busy(): boolean {
    return this.pending > 0;
  }

  send(request: Outgoing, done: Done): () => void {
    this.requests += 1;
    this.pending += 1;
    const number = this.requests;
    let over = false;
    const finish = (outcome: Outcome | undefined) => {
      if (over) return;
      over = true;
      this.pending -= 1;
      if (outcome) {
        // A client would not go on with a connection on which an answer was lost.
        if (isBroken(outcome)) this.retire();
        done(outcome);
      }
      if (this.leaving && this.pending === 0) this.session.close();
    };

    let stream: ClientHttp2Stream;
    try {
      stream = this.session.request({ ":path": request.path, ...request.headers });
    } catch (error) {
      finish({ reason: "closed", detail: error instanceof Error ? error.message : String(error) });
      return () => {};
    }
    let status = 0;
    let requestId: string | undefined;
    let received = 0;
    let failure: NodeJS.ErrnoException | undefined;
    const body: Buffer[] = [];
    stream.on("response", (headers) => {
      status = headers[":status"] ?? 0;
      const id = headers["x-request-id"];
      requestId = typeof id === "string" ? id : undefined;
    });
    stream.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received > maxBodyBytes) {
        finish({ reason: "protocol", detail: "the body is too large" });
        stream.close(constants.NGHTTP2_CANCEL);
        return;
      }
      body.push(chunk);
    });
    stream.on("error", (error: Error) => (failure ??= error));
    // Not "end": a stream that is reset emits that too.
    stream.on("close", () => {
      const clean = stream.rstCode === constants.NGHTTP2_NO_ERROR && !failure && !stream.aborted;
      finish(
        clean && status > 0 && stream.readableEnded
          ? { status, body: Buffer.concat(body).toString("utf8"), requestId }
          : this.broken(failure, stream.rstCode, number, received),
      );
    });
    stream.end();
    return () => {
      finish(undefined);
      this.retire();
      stream.close(constants.NGHTTP2_CANCEL);
    };
  }

  destroy(): void {
    this.leaving = true;
    this.session.destroy();
  }

  /** Takes no more requests; closes once those under way are done. */
  private retire(): void {
    this.leaving = true;
    if (this.pending === 0) this.session.close();
  }

  private broken(
    failure: NodeJS.ErrnoException | undefined,
    rstCode: number | undefined,
    number: number,
    received: number,
  ): Outcome {
    const context = `after ${received} bytes of the answer, on request ${number} of its connection`;
    // Where the connection broke, its error says more than the stream's.
    const error = this.error ?? failure;
    if (error && !error.code?.startsWith("ERR_HTTP2")) return nameError(error, this.stage, context);
    if (rstCode !== undefined && rstCode !== constants.NGHTTP2_NO_ERROR) {
      return { reason: "reset", detail: `stream reset with code ${rstCode} ${context}` };
    }
    if (error?.code === "ERR_HTTP2_ERROR") return { reason: "protocol", detail: error.message };
    return { reason: "closed", detail: `${error?.message ?? "closed"} ${context}` };
  }
}
