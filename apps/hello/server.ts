import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { answer, maxBodyBytes, polledRoutes, requestId, type Answer } from "./routes";
import { closeAll, listeningPort, listenTls } from "../tls";
import type { Settings } from "./settings";

/** A running application. */
export interface HelloServer {
  /** Port that it listens on; differs from the settings where those say 0. */
  readonly port: number;
  /** The same for TLS, where it speaks it. */
  readonly tlsPort: number | undefined;
  /**
   * Leaves service: readiness fails at once while everything is still answered for `drainMs`, then
   * the listeners close and requests in flight get `finishMs`. Resolves to the number of
   * connections that had to be cut. Calling it again returns the same promise.
   */
  drain(): Promise<number>;
}

/** Starts to listen. Rejects with the system's error where the address or port is taken. */
export async function startServer(settings: Settings, log: Logger): Promise<HelloServer> {
  const metrics = createMetrics();
  const connections = new Set<Socket>();
  let draining = false;
  let drained: Promise<number> | undefined;

  const server = createServer({ requestTimeout: 30_000, headersTimeout: 15_000 });
  // Longer than any load balancer keeps an idle connection in its pool, so that this side never
  // closes one just as a request is on its way.
  server.keepAliveTimeout = 65_000;

  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });

  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const tooLarge = error.code === "HPE_HEADER_OVERFLOW";
    const status = tooLarge ? "431 Request Header Fields Too Large" : "400 Bad Request";
    const body = JSON.stringify({
      error: tooLarge ? "the request's headers are too large" : "this is not an HTTP request",
    });
    log.warn({ code: error.code }, "bad request");
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  });

  server.on("request", (request, response) => {
    const begun = performance.now();
    const method = request.method ?? "GET";
    const id = requestId(single(request.headers["x-request-id"]), randomUUID);
    const result = answer(
      { method, url: request.url ?? "/", nonce: single(request.headers["x-nonce"]) },
      { greeting: settings.greeting, node: settings.node, draining },
    );
    let sent = result;
    metrics.inFlight.inc();
    response.once("close", () => {
      metrics.inFlight.dec();
      const seconds = (performance.now() - begun) / 1000;
      // 499, as nginx has it: the client left before the answer was complete.
      const status = response.writableFinished ? sent.status : 499;
      const labels = { method: knownMethod(method), route: sent.route, status: String(status) };
      metrics.requests.inc(labels);
      metrics.duration.observe(labels, seconds);
      log[polledRoutes.has(sent.route) ? "debug" : "info"](
        {
          requestId: id,
          method,
          path: request.url?.slice(0, 256),
          status,
          durationMs: Math.round(seconds * 1e5) / 100,
          client: request.socket.remoteAddress,
        },
        "request",
      );
    });

    const reply = (final: Answer) => {
      sent = final;
      void send(request, response, id, final, draining, metrics.registry).catch(
        (error: unknown) => {
          log.error({ requestId: id, err: error }, "could not answer");
          response.destroy();
        },
      );
    };

    // Answered when the whole body is here, also one that is too large: a proxy that still sends
    // when the answer comes and the connection closes meets a reset, and tells its client 502.
    let received = 0;
    request.on("data", (chunk: Buffer) => (received += chunk.length));
    request.once("end", () => {
      if (received > maxBodyBytes) {
        const error = `the request's body is larger than ${maxBodyBytes} bytes`;
        reply({ route: result.route, status: 413, body: { error } });
      } else if (result.delayMs) {
        const timer = setTimeout(() => reply(result), result.delayMs);
        response.once("close", () => clearTimeout(timer));
      } else {
        reply(result);
      }
    });
  });

  const drain = async () => {
    draining = true;
    log.info({ drainMs: settings.drainMs }, "draining: not ready any more, still serving");
    await new Promise((resolve) => setTimeout(resolve, settings.drainMs));
    log.info({ connections: connections.size }, "listener closed, finishing what is in flight");
    let cut = 0;
    await closeAll(server, secure, settings.finishMs, () => (cut = connections.size));
    return cut;
  };

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, settings.host, resolve);
  });
  const secure = settings.tls && (await listenTls(server, settings.tls, log));
  return {
    port: listeningPort(server),
    tlsPort: secure && listeningPort(secure),
    drain: () => (drained ??= drain()),
  };
}

function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labelNames = ["method", "route", "status"] as const;
  return {
    registry,
    requests: new Counter({
      name: "http_requests_total",
      help: "Requests answered.",
      labelNames,
      registers: [registry],
    }),
    duration: new Histogram({
      name: "http_request_duration_seconds",
      help: "Time from the request's headers to the end of its answer.",
      labelNames,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    }),
    inFlight: new Gauge({
      name: "http_requests_in_flight",
      help: "Requests that are being answered.",
      registers: [registry],
    }),
  };
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
  result: Answer,
  closing: boolean,
  registry: Registry,
): Promise<void> {
  const text = result.body ? `${JSON.stringify(result.body)}\n` : await registry.metrics();
  response.writeHead(result.status, {
    "Content-Type": result.body ? "application/json" : registry.contentType,
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    "X-Request-ID": id,
    ...result.headers,
    ...(closing && { Connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

// Clients may send any word as the method; a label needs a bounded set.
function knownMethod(method: string): string {
  return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].includes(method)
    ? method
    : "other";
}
