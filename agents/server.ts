import { readFileSync } from "node:fs";
import http, { type IncomingMessage, type RequestListener } from "node:http";
import https from "node:https";
import net, { type Server } from "node:net";
import type { TlsStage } from "../model/tls";
import { log } from "./io";

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export const line = (status: number, text: string): Page => ({
  status,
  type: "text/plain",
  body: `${text}\n`,
});

export const json = (status: number, body: object): Page => ({
  status,
  type: "application/json",
  body: `${JSON.stringify(body)}\n`,
});

export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

/** Where an agent is reached: always on loopback without TLS, too. */
export interface At {
  /** Address of the machine. */
  readonly address: string;
  readonly port: number;
  /** What others may speak there: until TLS is required either. */
  readonly tls: TlsStage;
}

/** A node's certificate and its key, PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

const loopback = "127.0.0.1";
const certificates = "/etc/holdfast/tls";

/** Milliseconds for the first byte, and again for a handshake and for the head of a request. */
const patienceMs = 5000;

const limits = {
  headersTimeout: patienceMs,
  requestTimeout: patienceMs,
  connectionsCheckingInterval: 1000,
  // Longer than metrics are left alone: a handshake is for many questions.
  keepAliveTimeout: 30_000,
} as const;

const secureOptions = {
  minVersion: "TLSv1.2",
  ciphers: [
    ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
    ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"],
    "ECDHE-ECDSA-CHACHA20-POLY1305",
  ].join(":"),
  handshakeTimeout: patienceMs,
} as const;

/** First byte of a TLS connection: a record with a handshake. No request of HTTP begins so. */
const handshakeRecord = 0x16;

function responder(pagesFor: (method: string | undefined) => Pages): RequestListener {
  const answer = async (request: IncomingMessage): Promise<Page> => {
    const path = request.url?.split("?")[0] ?? "/";
    const pages = pagesFor(request.method);
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    return page
      ? page()
      : line(404, `found ${request.method} ${path}, allowed: ${Object.keys(pages).join(", ")}`);
  };
  return (request, response) => {
    answer(request).then(
      ({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body),
      (error: unknown) => {
        log("page failed", { path: request.url, error: String(error) });
        response.writeHead(500).end();
      },
    );
  };
}

/**
 * Hands each connection to the server that speaks what its first byte says, and closes those that
 * none is for. Whoever is silent, breaks off or is refused is no error of this node, and no line of
 * its log.
 */
function sorted(secure: Server, plain: Server | undefined): Server {
  // By that event they begin to watch their limits; they do not listen themselves.
  for (const server of [secure, plain]) server?.emit("listening");
  return net.createServer({ noDelay: true }, (socket) => {
    const close = () => socket.destroy();
    socket.on("error", close);
    socket.setTimeout(patienceMs, close);
    socket.once("readable", () => {
      const first = socket.read(1) as Buffer | null;
      const server = first?.[0] === handshakeRecord ? secure : plain;
      if (!first || !server) {
        close();
        return;
      }
      socket.setTimeout(0, close);
      socket.unshift(first);
      server.emit("connection", socket);
    });
  });
}

/** What others reach: over TLS, and until that is required without it on the same port, too. */
export function serverForOthers(
  tls: TlsStage,
  identity: Identity,
  respond: RequestListener,
): Server {
  const secure = https.createServer({ ...limits, ...secureOptions, ...identity }, respond);
  const plain = tls === "require" ? undefined : http.createServer(limits, respond);
  return sorted(secure, plain);
}

/** The certificate is read once: a node whose files change is another one. */
export function nodeIdentity(): Identity {
  return {
    cert: readFileSync(`${certificates}/node.pem`, "utf8"),
    key: readFileSync(`${certificates}/node.key`, "utf8"),
  };
}

/** As `serve`, with the node's certificate; errors of the servers are the caller's. */
export function listen(
  { address, port, tls }: At,
  identity: () => Identity,
  read: Pages,
  commands: Pages = {},
): readonly Server[] {
  const own = responder((method) => (method === "GET" ? read : commands));
  const servers = [http.createServer(own).listen(port, loopback)];
  if (address === loopback) return servers;
  const others = responder((method) => (method === "GET" ? read : {}));
  return [...servers, serverForOthers(tls, identity(), others).listen(port, address)];
}

/**
 * Serves pages by path: `read` to whoever the firewall lets in, `commands` by POST to this machine
 * alone.
 */
export function serve(at: At, read: Pages, commands: Pages = {}): void {
  for (const server of listen(at, nodeIdentity, read, commands)) {
    server.on("error", (error) => {
      log("cannot listen", { at, error: error.message });
      process.exit(1);
    });
  }
}
