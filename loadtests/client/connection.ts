import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import type { Target } from "./options";
import type { Reason } from "./records";

/** A request to be sent: path with query, and headers beside `Host`. */
export interface Outgoing {
  /** Default GET; others, and bodies, on HTTP/1.1 connections alone. */
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A complete answer. */
export interface Incoming {
  readonly status: number;
  readonly body: string;
  readonly requestId: string | undefined;
  /** By lower-case name; of HTTP/1.1 answers alone. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** No complete answer came. */
export interface Broken {
  readonly reason: Reason;
  readonly detail: string;
}

export type Outcome = Incoming | Broken;
export type Done = (outcome: Outcome) => void;

/** A connection that carries requests and never repeats one. */
export interface Connection {
  /** False once it must not carry another request. */
  readonly usable: boolean;
  /** True while it has no room for another request. */
  readonly busy: boolean;
  /** Sends one request; `done` is called exactly once, unless the returned function came first. */
  send(request: Outgoing, done: Done): () => void;
  /** Ends it without notice to requests that are under way. */
  destroy(): void;
}

export function isBroken(outcome: Outcome): outcome is Broken {
  return "reason" in outcome;
}

/** Largest body in bytes that is taken in. */
export const maxBodyBytes = 4 * 1024 * 1024;

/** A TCP or TLS socket under way; `event` is emitted once requests may be written. */
export function openSocket(target: Target, alpn: string): { socket: Socket; event: string } {
  const { address: host, port, tls } = target;
  const socket = tls
    ? connectTls({ host, port, ALPNProtocols: [alpn], secureContext: secureContext(tls) })
    : connectTcp({ host, port });
  socket.setNoDelay(true);
  return { socket, event: tls ? "secureConnect" : "connect" };
}

const contexts = new WeakMap<object, SecureContext>();

/** The stack's CA, parsed once for all connections of a target. */
function secureContext(tls: NonNullable<Target["tls"]>): SecureContext {
  let context = contexts.get(tls);
  if (!context) {
    context = createSecureContext({ ca: tls.ca, minVersion: "TLSv1.2" });
    contexts.set(tls, context);
  }
  return context;
}

/**
 * Names a socket's error. `stage`: how far the connection was. `context`: words for people on what
 * the connection had done by then.
 */
export function nameError(
  error: NodeJS.ErrnoException,
  stage: "connecting" | "handshake" | "open",
  context: string,
): Broken {
  const code = error.code ?? "";
  const detail = `${code || error.message} ${context}`;
  if (code === "ECONNREFUSED") return { reason: "refused", detail };
  if (code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED") {
    return { reason: "reset", detail };
  }
  if (stage === "handshake") return { reason: "tls", detail: `${error.message} ${context}` };
  return { reason: stage === "connecting" ? "connect" : "reset", detail };
}
