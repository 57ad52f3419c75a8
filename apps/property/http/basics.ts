import { setTimeout as delay } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { App, AppContext } from "./app";
import { nonceQuery } from "./schemas";

const maxSlowMs = 15_000;

const slowQuery = nonceQuery.extend({
  ms: z
    .string()
    .regex(/^\d{1,5}$/, { error: `0 to ${maxSlowMs}` })
    .transform(Number)
    .pipe(z.int().max(maxSlowMs, { error: `0 to ${maxSlowMs}` }))
    .default(1000),
});

/** Paths that machines poll; their access log lines are of level debug. */
export const polledRoutes: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

/** What every application of this repository answers: greeting, health, metrics. */
export function addBasics(app: App, { settings, readiness, metrics, observe }: AppContext): void {
  const { node, greeting } = settings;
  const hide = true;

  app.get("/", { schema: { hide } }, (request, reply) =>
    reply.send({ message: greeting, node, nonce: request.nonce }),
  );

  app.get("/ping", { schema: { hide } }, (request, reply) =>
    reply.send({ message: "pong", node, nonce: request.nonce }),
  );

  app.get("/slow", { schema: { hide, querystring: slowQuery } }, async (request, reply) => {
    const { ms } = request.query;
    await delay(ms);
    return reply.send({ message: "slow", node, nonce: request.nonce, ms });
  });

  app.get("/healthz", { schema: { hide } }, (_request, reply) =>
    reply.send({ status: "alive", node }),
  );

  app.get("/readyz", { schema: { hide } }, (_request, reply): FastifyReply => {
    const { status, code, detail } = readiness.state();
    return reply.code(code).send({ status, node, detail });
  });

  app.get("/metrics", { schema: { hide } }, async (_request, reply) => {
    observe();
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
}
