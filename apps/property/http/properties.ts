import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { WriteAnswer } from "../properties/service";
import type { App, AppContext } from "./app";
import { idempotencyKey, ifMatch, requiredToken, tokenHeaders } from "./headers";
import {
  idParams,
  listQuery,
  nonceQuery,
  pageAnswer,
  problem,
  propertyAnswer,
  propertyInput,
  propertyUpdate,
} from "./schemas";

const json = "application/json; charset=utf-8";

const problemAnswer = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problem } },
});

const invalid = { 400: problemAnswer("The request is not valid.") };
const unavailable = { 503: problemAnswer("The database did not answer in time.") };
const missing = { 404: problemAnswer("There is no such property.") };
const refused = {
  ...invalid,
  409: problemAnswer("Another version is there, or this idempotency key is in use just now."),
  413: problemAnswer("The body is too large."),
  422: problemAnswer("The idempotency key belongs to another request."),
  ...unavailable,
};
const outdated = { 412: problemAnswer("If-Match names another version.") };

// Loose: what a schema does not name would be gone from the request.
const tokenHeader = z.looseObject({
  "consistency-token": z
    .string()
    .optional()
    .describe("Token of a write that the answer must include; the cookie does the same."),
});
const keyHeader = z.looseObject({
  "idempotency-key": z
    .string()
    .optional()
    .describe("The same key with the same request is done once and answered alike."),
});
const writeHeaders = keyHeader.extend({
  "if-match": z.string().optional().describe("ETag of the version that is to be changed."),
});

const strictNonce = z.strictObject(nonceQuery.shape);

/** The API. */
export function addProperties(app: App, { service }: AppContext): void {
  const tags = ["property"];

  app.get(
    "/api/property",
    {
      schema: {
        tags,
        summary: "Properties that match, page by page",
        querystring: listQuery,
        headers: tokenHeader,
        response: { 200: pageAnswer, ...invalid, ...unavailable },
      },
    },
    async (request, reply) => {
      const { body, cache } = await service.list(request.query, requiredToken(request.headers));
      return sendJson(request, reply.header("x-cache", cache), body);
    },
  );

  app.get(
    "/api/property/:id",
    {
      schema: {
        tags,
        summary: "One property",
        params: idParams,
        querystring: strictNonce,
        headers: tokenHeader,
        response: { 200: propertyAnswer, ...invalid, ...missing, ...unavailable },
      },
    },
    async (request, reply) => {
      const after = requiredToken(request.headers);
      const { body, cache } = await service.get(request.params.id, after);
      const headers = { "x-cache": cache, etag: etagOf(body) };
      return sendJson(request, reply.headers(headers), body);
    },
  );

  app.post(
    "/api/property",
    {
      schema: {
        tags,
        summary: "Adds a property",
        body: propertyInput,
        querystring: strictNonce,
        headers: keyHeader,
        response: { 201: propertyAnswer, ...refused },
      },
    },
    async (request, reply) => {
      const written = await service.create(request.body, idempotencyKey(request.headers));
      const { id } = JSON.parse(written.body) as { id: number };
      return sendWritten(request, reply.header("location", `/api/property/${id}`), written);
    },
  );

  app.put(
    "/api/property/:id",
    {
      schema: {
        tags,
        summary: "Replaces a property",
        params: idParams,
        body: propertyUpdate,
        querystring: strictNonce,
        headers: writeHeaders,
        response: { 200: propertyAnswer, ...refused, ...missing, ...outdated },
      },
    },
    async (request, reply) => {
      const { version, ...input } = request.body;
      const expected = { etag: ifMatch(request.headers), version };
      const key = idempotencyKey(request.headers);
      const written = await service.replace(request.params.id, input, expected, key);
      return sendWritten(request, reply, written);
    },
  );

  app.delete(
    "/api/property/:id",
    {
      schema: {
        tags,
        summary: "Removes a property",
        params: idParams,
        querystring: strictNonce,
        headers: writeHeaders,
        response: {
          204: z.undefined().describe("It is gone."),
          ...refused,
          ...missing,
          ...outdated,
        },
      },
    },
    async (request, reply) => {
      const expected = { etag: ifMatch(request.headers) };
      const key = idempotencyKey(request.headers);
      const written = await service.remove(request.params.id, expected, key);
      return sendWritten(request, reply, written);
    },
  );

  app.get("/api/openapi.json", { schema: { hide: true } }, (_request, reply) =>
    reply.send(app.swagger()),
  );
}

function sendWritten(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, body, gtids, replayed }: WriteAnswer,
): FastifyReply {
  reply.code(status).headers(tokenHeaders(gtids));
  if (replayed) reply.header("idempotency-replayed", "true");
  if (body === "") return reply.send();
  return sendJson(request, reply.header("etag", etagOf(body)), body);
}

/** The JSON object with the request's nonce as its last member; without parsing it. */
function sendJson({ nonce }: FastifyRequest, reply: FastifyReply, body: string): FastifyReply {
  const echo = nonce === undefined ? "}" : `,"nonce":${JSON.stringify(nonce)}}`;
  return reply.type(json).send(body.slice(0, -1) + echo);
}

function etagOf(body: string): string {
  return `"${(JSON.parse(body) as { version: number }).version}"`;
}
