import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import swagger from "@fastify/swagger";
import fastify, {
  LogController,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from "fastify";
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { DatabaseUnavailable } from "../database/errors";
import type { Metrics } from "../metrics";
import type { PropertyService } from "../properties/service";
import type { ReadinessGate } from "../readiness";
import type { Settings } from "../settings";
import { bodyEnd } from "./body";
import { addBasics, polledRoutes } from "./basics";
import { HttpProblem, problemBody, problemType, type ProblemExtras } from "./problems";
import { addProperties } from "./properties";
import { maxNonceLength } from "./schemas";

/** Longest request target (path and query) in characters. */
const maxUrlLength = 2048;
/** Largest request body in bytes. */
export const maxBodyBytes = 64 * 1024;

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  Logger,
  ZodTypeProvider
>;

export interface AppContext {
  readonly settings: Pick<Settings, "node" | "greeting">;
  readonly service: PropertyService;
  readonly readiness: ReadinessGate;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Brings gauges up to date before they are read. */
  readonly observe: () => void;
}

declare module "fastify" {
  interface FastifyRequest {
    /** The caller's nonce, echoed in every answer so that no cache can pass off an old one. */
    nonce: string | undefined;
    begun: number;
  }
}

/** The HTTP application, not listening yet. */
export async function createApp(context: AppContext): Promise<App> {
  const { metrics, readiness, log } = context;
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
    requestTimeout: 30_000,
    // Longer than any load balancer keeps an idle connection in its pool, so that this side never
    // closes one just as a request is on its way.
    keepAliveTimeout: 65_000,
    http: { headersTimeout: 15_000 },
    return503OnClosing: false,
    exposeHeadRoutes: true,
    genReqId: (request) => requestId(request.headers["x-request-id"]),
    clientErrorHandler: refuseConnection(log),
    // What does not get as far as a route.
    frameworkErrors: (error, request, reply) => void handle(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  // Schemas of answers describe; what is sent was made by code that is typed by them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.decorateRequest("nonce", undefined);
  app.decorateRequest("begun", 0);

  app.addHook("onRequest", async (request, reply) => {
    request.begun = performance.now();
    metrics.inFlight.inc();
    if (readiness.draining) reply.header("connection", "close");
    reply.headers({ "cache-control": "no-store", "x-request-id": request.id });
    if (request.raw.url && request.raw.url.length > maxUrlLength) {
      throw new HttpProblem(414, `the request target is longer than ${maxUrlLength} characters`);
    }
    const { nonce } = request.query as { nonce?: unknown };
    const given = typeof nonce === "string" ? nonce : single(request.headers["x-nonce"]);
    if (given !== undefined && given.length > maxNonceLength) {
      throw new HttpProblem(400, `the nonce is longer than ${maxNonceLength} characters`);
    }
    request.nonce = given;
    if (given !== undefined && /^[!-~]+$/.test(given)) reply.header("x-nonce", given);
  });

  app.addHook("onSend", async ({ raw }, reply) => {
    await bodyEnd(raw);
    // The parser closes what it did not read; everything has been read here.
    if (!readiness.draining && reply.hasHeader("connection")) reply.removeHeader("connection");
  });
  app.addHook("onResponse", async (request, reply) => answered(context, request, reply));
  app.addHook("onRequestAbort", async (request) => {
    log.debug({ requestId: request.id }, "the client left");
  });

  app.setNotFoundHandler((request, reply) =>
    sendProblem(request, reply, 404, "nothing is at this path"),
  );
  app.setErrorHandler((error: unknown, request, reply) => handle(error, request, reply));

  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Property", version: "1.0.0", description: "Properties for sale." },
    },
    transform: jsonSchemaTransform,
  });
  addBasics(app, context);
  addProperties(app, context);
  refuseOtherMethods(app);
  await app.ready();
  return app;
}

function answered({ metrics, log }: AppContext, request: FastifyRequest, reply: FastifyReply) {
  metrics.inFlight.dec();
  const seconds = (performance.now() - request.begun) / 1000;
  const route = request.routeOptions.url ?? "other";
  // 499, as nginx has it: the client left before it was answered.
  const status = reply.raw.writableEnded ? reply.statusCode : 499;
  const labels = { method: knownMethod(request.method), route, status: String(status) };
  metrics.requests.inc(labels);
  metrics.duration.observe(labels, seconds);
  log[polledRoutes.has(route) ? "debug" : "info"](
    {
      requestId: request.id,
      method: request.method,
      path: request.url.slice(0, 256),
      status,
      durationMs: Math.round(seconds * 1e5) / 100,
      client: request.socket.remoteAddress,
    },
    "request",
  );
}

function handle(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof HttpProblem) {
    reply.headers(error.headers);
    return sendProblem(request, reply, error.status, error.detail, error.extras);
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const { validationContext } = error as { validationContext?: string };
    const where = validationContext === "querystring" ? "query" : (validationContext ?? "");
    const errors = error.validation.slice(0, 20).map(({ instancePath, message = "" }) => ({
      pointer: `/${where}${instancePath === "/" ? "" : instancePath}`,
      detail: message,
    }));
    return sendProblem(request, reply, 400, "the request is not valid", { errors });
  }
  if (error instanceof DatabaseUnavailable) {
    const { outcome } = error;
    const isRead = request.method === "GET" || request.method === "HEAD";
    const detail =
      outcome === "unknown"
        ? "no answer of the database in time; the write may have been done: repeat it with the same Idempotency-Key"
        : "the database did not answer in time; nothing was done";
    reply.header("retry-after", "2");
    return sendProblem(request, reply, 503, detail, isRead ? {} : { outcome });
  }
  const { statusCode, code, message } = error as Partial<FastifyError>;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const detail =
      code === "FST_ERR_CTP_BODY_TOO_LARGE"
        ? `the request's body is larger than ${maxBodyBytes} bytes`
        : (message ?? "the request is not valid");
    return sendProblem(request, reply, statusCode, detail);
  }
  request.log.error({ requestId: request.id, err: error }, "a request failed");
  return sendProblem(request, reply, 500, "something went wrong here; it has been logged");
}

function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  detail: string,
  extras: ProblemExtras = {},
): FastifyReply {
  const body = { ...problemBody(status, detail, extras), nonce: request.nonce };
  return reply.code(status).type(problemType).send(JSON.stringify(body));
}

/** 405 where the path is known and the method is not. */
function refuseOtherMethods(app: App): void {
  const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
  const paths = ["/", "/ping", "/slow", "/healthz", "/readyz", "/metrics"].concat(
    "/api/property",
    "/api/property/:id",
    "/api/openapi.json",
  );
  for (const url of paths) {
    const allowed = methods.filter((method) => app.hasRoute({ method, url }));
    app.route({
      method: methods.filter((method) => !allowed.includes(method)),
      url,
      schema: { hide: true },
      handler: (request) => {
        const detail = `method ${request.method} is not allowed here; allowed: ${allowed.join(", ")}`;
        throw new HttpProblem(405, detail, {}, { Allow: allowed.join(", ") });
      },
    });
  }
}

/** Answers what is not HTTP, or has headers beyond any measure. */
function refuseConnection(log: Logger) {
  return (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const tooLarge = error.code === "HPE_HEADER_OVERFLOW";
    const status = tooLarge ? 431 : 400;
    const problem = problemBody(
      status,
      tooLarge ? "the request's headers are too large" : "this is not an HTTP request",
    );
    const body = JSON.stringify(problem);
    log.warn({ code: error.code }, "bad request");
    socket.end(
      `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: ${problemType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  };
}

/** The caller's request id where it is a plain token of at most 128 characters, else a new one. */
function requestId(header: string | string[] | undefined): string {
  const given = single(header);
  return given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
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
