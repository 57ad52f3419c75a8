import { pino } from "pino";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { Cache } from "../../apps/property/cache/cache";
import { Database } from "../../apps/property/database/database";
import { encodeToken } from "../../apps/property/database/gtid";
import { createApp, maxBodyBytes, type App } from "../../apps/property/http/app";
import { createMetrics } from "../../apps/property/metrics";
import { PropertyService } from "../../apps/property/properties/service";
import { ReadinessGate } from "../../apps/property/readiness";
import { awaitSchema } from "../../apps/property/schema";
import { connectionLost, FakeMysql, source, sqlError } from "./support/fakeMysql";
import { MemoryStore } from "./support/memoryStore";

const log = pino({ level: "silent" });
const house = {
  title: "House by the sea",
  description: "Large windows.",
  city: "Porto",
  kind: "house",
  price: 350_000,
  bedrooms: 3,
  area: 120,
};

async function start(writeWaitMs = 500) {
  const mysql = new FakeMysql();
  const store = new MemoryStore();
  const metrics = createMetrics();
  const readiness = new ReadinessGate();
  const flags = { cache: true };
  const database = new Database(
    {
      poolSize: 4,
      readWaitMs: 500,
      writeWaitMs,
      consistencyWaitMs: 20,
      connect: (side) => mysql.connect(side),
    },
    metrics,
    log,
  );
  const cache = new Cache(store, { ttlMs: 30_000, retryMs: 10 }, metrics, log);
  const service = new PropertyService(
    database,
    cache,
    { enabled: async () => flags.cache },
    { idempotencyMs: 60_000 },
    metrics,
    log,
  );
  const app = await createApp({
    settings: { node: "app-a", greeting: "Good day" },
    service,
    readiness,
    metrics,
    log,
    observe: () => database.observe(),
  });
  return { mysql, store, metrics, readiness, flags, database, app };
}

let world: Awaited<ReturnType<typeof start>>;
const apps: App[] = [];
beforeEach(async () => {
  world = await start();
  apps.push(world.app);
});
afterAll(() => Promise.all(apps.map((app) => app.close())));

type Headers = Record<string, string>;
const get = (url: string, headers: Headers = {}) => world.app.inject({ url, headers });
const send = (
  method: "POST" | "PUT" | "DELETE",
  url: string,
  body?: unknown,
  headers: Headers = {},
) =>
  world.app.inject({
    method,
    url,
    headers,
    ...(body !== undefined && { payload: body as Record<string, unknown> }),
  });
const post = (body: unknown = house, headers: Headers = {}) =>
  send("POST", "/api/property", body, headers);

describe("what the load clients use", () => {
  test("greeting, ping and slow name the node and echo the nonce of header or query", async () => {
    const hello = { node: "app-a", nonce: "n1" };
    expect((await get("/", { "x-nonce": "n1" })).json()).toEqual({ message: "Good day", ...hello });
    expect((await get("/ping?nonce=n1")).json()).toEqual({ message: "pong", ...hello });
    expect((await get("/slow?ms=5&nonce=n1")).json()).toEqual({ message: "slow", ...hello, ms: 5 });
    expect((await get("/ping?nonce=n2", { "x-nonce": "n1" })).json()).toMatchObject({
      nonce: "n2",
    });
    expect((await get("/")).json()).toEqual({ message: "Good day", node: "app-a" });
    for (const ms of ["15001", "-1", "1.5", "x", ""]) {
      expect((await get(`/slow?ms=${ms}`)).statusCode).toBe(400);
    }
  });

  test("answers are never stored, and carry the caller's request id if it is a plain token", async () => {
    const answer = await get("/ping", { "x-request-id": "lb-a:1f.2_3" });
    expect(answer.headers).toMatchObject({
      "cache-control": "no-store",
      "x-request-id": "lb-a:1f.2_3",
    });
    const other = await get("/ping", { "x-request-id": "a b" });
    expect(other.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("health is about the process alone; readiness leaves while it drains", async () => {
    expect((await get("/healthz")).json()).toEqual({ status: "alive", node: "app-a" });
    expect((await get("/readyz")).statusCode).toBe(503);
    world.readiness.ready();
    expect((await get("/readyz")).json<unknown>()).toEqual({ status: "ready", node: "app-a" });
    expect((await get("/readyz")).headers.connection).not.toBe("close");
    world.readiness.drain();
    const draining = await get("/readyz");
    expect([draining.statusCode, draining.json()]).toEqual([
      404,
      { status: "draining", node: "app-a" },
    ]);
    world.readiness.ready();
    const still = await get("/ping");
    expect([still.statusCode, still.headers.connection]).toEqual([200, "close"]);
    expect((await get("/readyz")).statusCode).toBe(404);
  });
});

describe("properties", () => {
  test("made, read, replaced, removed", async () => {
    const made = await post(house, { "x-nonce": "n1" });
    expect(made.statusCode).toBe(201);
    const property = made.json<Record<string, unknown>>();
    expect(property).toEqual({
      id: 1,
      ...house,
      version: 1,
      createdAt: expect.stringMatching(/^20\d\d-.*T.*\.\d{3}Z$/) as string,
      updatedAt: property.createdAt,
      nonce: "n1",
    });
    expect(made.headers).toMatchObject({
      location: "/api/property/1",
      etag: '"1"',
      "x-nonce": "n1",
      "consistency-token": encodeToken(`${source}:1`),
      "set-cookie": `consistency=${encodeToken(`${source}:1`)}; Path=/api; Max-Age=60; HttpOnly; SameSite=Lax`,
    });

    const read = await get("/api/property/1", { "x-nonce": "n2" });
    expect(read.json()).toEqual({ ...property, nonce: "n2" });
    expect(read.headers).toMatchObject({ etag: '"1"', "x-cache": "miss", "x-nonce": "n2" });

    const changed = await send("PUT", "/api/property/1", { ...house, price: 1 });
    expect([changed.statusCode, changed.headers.etag]).toEqual([200, '"2"']);
    expect(changed.json()).toMatchObject({
      id: 1,
      price: 1,
      version: 2,
      createdAt: property.createdAt,
    });
    expect((await get("/api/property/1")).json()).toEqual(changed.json());

    const gone = await send("DELETE", "/api/property/1", undefined, { "x-nonce": "n3" });
    expect([gone.statusCode, gone.body, gone.headers["x-nonce"]]).toEqual([204, "", "n3"]);
    const missing = await get("/api/property/1", { "x-nonce": "n4" });
    expect(missing.statusCode).toBe(404);
    expect(missing.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(missing.json()).toEqual({
      type: "about:blank",
      title: "Not Found",
      status: 404,
      detail: "there is no property 1",
      nonce: "n4",
    });
    for (const method of ["PUT", "DELETE"] as const) {
      expect(
        (await send(method, "/api/property/1", method === "PUT" ? house : undefined)).statusCode,
      ).toBe(404);
    }
  });

  test("bodies are the same from the cache and from the database", async () => {
    await post();
    for (const url of ["/api/property/1", "/api/property?city=Porto&total=true"]) {
      world.flags.cache = true;
      const miss = await get(url);
      await expect.poll(async () => (await get(url)).headers["x-cache"]).toBe("hit");
      const hit = await get(url);
      world.flags.cache = false;
      const off = await get(url);
      expect([miss.headers["x-cache"], off.headers["x-cache"]]).toEqual(["miss", "bypass"]);
      expect(new Set([miss.body, hit.body, off.body]).size).toBe(1);
    }
  });

  test("a write makes the item and every list that it may be in invalid, also where the flag is off", async () => {
    await post();
    const urls = [
      "/api/property/1",
      "/api/property",
      "/api/property?city=Porto",
      "/api/property?kind=house",
      "/api/property?city=Porto&kind=house&limit=5",
      "/api/property?kind=studio",
      "/api/property?city=Oslo",
    ];
    const cached = async () => {
      const results: unknown[] = [];
      for (const url of urls) results.push((await get(url)).headers["x-cache"]);
      return results;
    };
    await cached();
    await expect.poll(cached).toEqual(urls.map(() => "hit"));
    world.flags.cache = false;
    await send("PUT", "/api/property/1", { ...house, city: "Oslo" });
    world.flags.cache = true;
    expect(await cached()).toEqual(["miss", "miss", "miss", "miss", "miss", "hit", "miss"]);
  });

  test("lists: pages follow each other by cursor, each row once", async () => {
    for (const price of [30, 10, 20]) await post({ ...house, price });
    const page = (await get("/api/property?limit=2&nonce=n1")).json<Page>();
    interface Page {
      items: { price: number }[];
      nextCursor: string | null;
      nonce?: string;
      total?: number;
    }
    expect(page.items.map(({ price }) => price)).toEqual([10, 20]);
    expect([typeof page.nextCursor, page.nonce, page.total]).toEqual(["string", "n1", undefined]);
    expect((await get("/api/property?limit=3&total=true")).json()).toMatchObject({
      nextCursor: null,
      total: 3,
    });
    expect(
      (await get(`/api/property?limit=2&sort=newest&cursor=${page.nextCursor ?? ""}`)).statusCode,
    ).toBe(400);
  });

  test("the nonce is not part of what is cached", async () => {
    await post();
    await get("/api/property?nonce=n1");
    await expect
      .poll(async () => (await get("/api/property?nonce=n2")).headers["x-cache"])
      .toBe("hit");
    expect((await get("/api/property?nonce=n3")).json()).toMatchObject({ nonce: "n3" });
  });

  test("versions: If-Match is refused with 412, a version in the body with 409", async () => {
    await post();
    await send("PUT", "/api/property/1", house);
    const put = (body: object, headers: Headers = {}) =>
      send("PUT", "/api/property/1", body, headers);
    expect((await put(house, { "if-match": '"1"' })).statusCode).toBe(412);
    const conflict = await put({ ...house, version: 1 });
    expect([conflict.statusCode, conflict.json<{ detail: string }>().detail]).toEqual([
      409,
      "the version is 2, the request replaces 1",
    ]);
    expect(
      (await send("DELETE", "/api/property/1", undefined, { "if-match": '"1"' })).statusCode,
    ).toBe(412);
    expect(world.mysql.primary.rows.get(1)?.version).toBe(2);
    expect((await put({ ...house, version: 2 }, { "if-match": '"2"' })).json()).toMatchObject({
      version: 3,
    });
    expect((await put(house, { "if-match": "*" })).json()).toMatchObject({ version: 4 });
  });
});

describe("own writes", () => {
  test("who presents the token, as header or cookie, sees them; others may not yet", async () => {
    world.mysql.keepsUp = false;
    const made = await post();
    const token = String(made.headers["consistency-token"]);
    expect((await get("/api/property/1")).statusCode).toBe(404);
    expect((await get("/api/property/1", { "consistency-token": token })).statusCode).toBe(200);
    expect((await get("/api/property/1", { cookie: `consistency=${token}` })).statusCode).toBe(200);
    expect((await get("/api/property/1", { "consistency-token": "x" })).statusCode).toBe(400);
  });

  test("not even a value that was cached before them is served, where the invalidation failed", async () => {
    await post();
    const url = "/api/property/1";
    await get(url);
    await expect.poll(async () => (await get(url)).headers["x-cache"]).toBe("hit");
    world.store.before = (command) => {
      if (command === "invalidate") throw new Error("lost");
    };
    const changed = await send("PUT", url, { ...house, price: 2 });
    expect(changed.statusCode).toBe(200);
    const bypass = await get(url);
    expect([bypass.headers["x-cache"], bypass.json<{ price: number }>().price]).toEqual([
      "bypass",
      2,
    ]);
    world.store.before = () => {};
    await expect.poll(async () => (await get(url)).headers["x-cache"]).toBe("hit");
    expect((await get(url)).json()).toMatchObject({ price: 2 });
  });
});

describe("done once", () => {
  test("the same key and request: the same answer, stored once", async () => {
    const key = { "idempotency-key": "order-1" };
    const first = await post(house, key);
    const again = await post(house, { ...key, "x-nonce": "n2" });
    expect([first.statusCode, again.statusCode]).toEqual([201, 201]);
    expect(again.json()).toEqual({ ...first.json<object>(), nonce: "n2" });
    expect([first, again].map(({ headers }) => headers["idempotency-replayed"])).toEqual([
      undefined,
      "true",
    ]);
    expect(again.headers.location).toBe("/api/property/1");
    expect(world.mysql.primary.rows.size).toBe(1);
  });

  test("the same key for another request is refused", async () => {
    const key = { "idempotency-key": "order-1" };
    await post(house, key);
    const other = await post({ ...house, price: 1 }, key);
    expect([other.statusCode, other.json<{ outcome: string }>().outcome]).toEqual([422, "none"]);
    expect((await send("PUT", "/api/property/1", house, key)).statusCode).toBe(422);
    expect(world.mysql.primary.rows.size).toBe(1);
  });

  test("replacing and removing with a key are done once too", async () => {
    await post();
    const put = () =>
      send("PUT", "/api/property/1", house, { "idempotency-key": "k1", "if-match": '"1"' });
    const [first, again] = [await put(), await put()];
    expect([first.statusCode, again.statusCode, again.body]).toEqual([200, 200, first.body]);
    const remove = () => send("DELETE", "/api/property/1", undefined, { "idempotency-key": "k2" });
    expect([(await remove()).statusCode, (await remove()).statusCode]).toEqual([204, 204]);
  });

  test("at the same time: one is done, the others wait for it or are told that it is under way", async () => {
    const key = { "idempotency-key": "order-1" };
    const all = await Promise.all([1, 2, 3, 4].map(() => post(house, key)));
    expect(all.map(({ statusCode }) => statusCode)).toEqual([201, 201, 201, 201]);
    expect(new Set(all.map(({ body }) => body)).size).toBe(1);
    expect(world.mysql.primary.rows.size).toBe(1);

    world.mysql.before = async (_side, sql) => {
      if (sql === "COMMIT") await new Promise((resolve) => setTimeout(resolve, 200));
    };
    const slow = post(house, { "idempotency-key": "order-2" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await post(house, { "idempotency-key": "order-2" });
    expect([second.statusCode, second.headers["retry-after"]]).toEqual([409, "1"]);
    expect(second.json()).toMatchObject({ outcome: "unknown" });
    expect((await slow).statusCode).toBe(201);
    expect(world.mysql.primary.rows.size).toBe(2);
  });

  test("a commit that happened without an answer is found, not done again", async () => {
    let lost = 2;
    world.mysql.afterCommit = () => {
      if ((lost -= 1) >= 0) throw connectionLost();
    };
    const made = await post();
    expect([made.statusCode, made.headers["idempotency-replayed"]]).toEqual([201, "true"]);
    expect(world.mysql.primary.rows.size).toBe(1);
    const token = String(made.headers["consistency-token"]);
    expect(token).toBe(encodeToken(`${source}:1-1`));
    lost = 1;
    const changed = await send("PUT", "/api/property/1", house, { "if-match": '"1"' });
    expect([changed.statusCode, changed.headers.etag]).toEqual([200, '"2"']);
    lost = 1;
    expect((await send("DELETE", "/api/property/1")).statusCode).toBe(204);
  });

  test("a commit that did not happen is done at the next attempt", async () => {
    let lost = 1;
    world.mysql.before = (_side, sql) => {
      if (sql === "COMMIT" && (lost -= 1) >= 0) throw connectionLost();
    };
    const made = await post();
    expect([made.statusCode, made.headers["idempotency-replayed"]]).toEqual([201, undefined]);
    expect(world.mysql.primary.rows.size).toBe(1);
  });

  test("no primary in time: 503, what is known about the outcome, and when to come again", async () => {
    const { app, mysql } = await start(100);
    apps.push(app);
    const refuse = () => {
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    mysql.onConnect = refuse;
    const none = await app.inject({ method: "POST", url: "/api/property", payload: house });
    expect([none.statusCode, none.headers["retry-after"]]).toEqual([503, "2"]);
    expect(none.json()).toMatchObject({ outcome: "none", title: "Service Unavailable" });
    mysql.onConnect = () => {};
    mysql.afterCommit = () => {
      mysql.onConnect = refuse;
      throw connectionLost();
    };
    await expect
      .poll(async () =>
        (
          await app.inject({ method: "POST", url: "/api/property", payload: house })
        ).json<unknown>(),
      )
      .toMatchObject({ status: 503, outcome: "unknown" });
    expect(mysql.primary.rows.size).toBe(1);
  });
});

describe("bad requests are refused and change nothing", () => {
  const changed = () => [world.mysql.primary.rows.size, world.mysql.primary.keys.size];

  test.each<[string, unknown, string]>([
    ["an unknown field", { ...house, colour: "red" }, "/body"],
    ["a missing field", { ...house, title: undefined }, "/body/title"],
    ["a wrong type", { ...house, price: "350000" }, "/body/price"],
    ["a fraction", { ...house, price: 1.5 }, "/body/price"],
    ["a negative number", { ...house, area: -1 }, "/body/area"],
    ["a number beyond all sense", { ...house, price: 1e300 }, "/body/price"],
    ["null", { ...house, bedrooms: null }, "/body/bedrooms"],
    ["an empty text", { ...house, title: "  " }, "/body/title"],
    ["a text that is too long", { ...house, city: "x".repeat(81) }, "/body/city"],
    ["a control character", { ...house, title: "a\u0000b" }, "/body/title"],
    ["NUL in the description", { ...house, description: "a\u0000b" }, "/body/description"],
    ["an unknown kind", { ...house, kind: "castle" }, "/body/kind"],
    ["an own id", { ...house, id: 1 }, "/body"],
    ["a list", [house], "/body"],
  ])("%s", async (_name, body, pointer) => {
    const answer = await post(JSON.parse(JSON.stringify(body)));
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(answer.json<{ errors: { pointer: string }[] }>().errors[0]?.pointer).toBe(pointer);
    expect(changed()).toEqual([0, 0]);
  });

  test("bodies that are no JSON, too large, of another type, or absent", async () => {
    const raw = (payload: string, type = "application/json") =>
      world.app.inject({
        method: "POST",
        url: "/api/property",
        payload,
        headers: { "content-type": type },
      });
    const statuses = [
      (await raw('{"title":')).statusCode,
      (await raw("")).statusCode,
      (await raw('"text"')).statusCode,
      (await raw('{"__proto__":{"x":1}}')).statusCode,
      (await raw("x=1", "application/x-www-form-urlencoded")).statusCode,
      (await world.app.inject({ method: "POST", url: "/api/property" })).statusCode,
    ];
    expect(statuses).toEqual([400, 400, 400, 400, 415, 400]);
    const large = await raw(JSON.stringify({ ...house, description: "x".repeat(maxBodyBytes) }));
    expect(large.statusCode).toBe(413);
    expect(large.json()).toMatchObject({
      detail: `the request's body is larger than ${maxBodyBytes} bytes`,
    });
    expect(changed()).toEqual([0, 0]);
  });

  test("SQL in fields and filters is data like any other", async () => {
    const evil = "'; DROP TABLE property; -- \" \\";
    const made = await post({ ...house, title: evil, city: evil });
    expect(made.json()).toMatchObject({ title: evil, city: evil });
    const list = await get(`/api/property?city=${encodeURIComponent(evil)}`);
    expect(list.statusCode).toBe(200);
    expect(world.mysql.statements.every(({ sql }) => !sql.includes("DROP"))).toBe(true);
  });

  test.each([
    ["/api/property/0", 400],
    ["/api/property/-1", 400],
    ["/api/property/1.0", 400],
    ["/api/property/abc", 400],
    ["/api/property/1%20OR%201=1", 400],
    ["/api/property/9007199254740992", 400],
    ["/api/property/99999999999999999999999999", 400],
    [`/api/property/${"9".repeat(500)}`, 414],
    ["/api/property/9007199254740991", 404],
    ["/api/property/1/2", 404],
    ["/api/property/%ff", 400],
    ["/api/property?limit=0", 400],
    ["/api/property?limit=101", 400],
    ["/api/property?limit=x", 400],
    ["/api/property?minPrice=-1", 400],
    ["/api/property?minPrice=1&minPrice=2", 400],
    ["/api/property?city=a&city=b", 400],
    ["/api/property?colour=red", 400],
    ["/api/property?sort=title", 400],
    ["/api/property?cursor=abc", 400],
    ["/api/property?kind=castle", 400],
    ["/nothing", 404],
    ["/constructor", 404],
    [`/?${"x".repeat(3000)}`, 414],
    [`/ping?nonce=${"x".repeat(129)}`, 400],
  ])("GET %s", async (url, status) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toMatchObject({ status });
    expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
  });

  test("a method that a path does not have", async () => {
    const patch = await world.app.inject({ method: "PATCH", url: "/api/property/1", payload: {} });
    expect([patch.statusCode, patch.headers.allow]).toEqual([405, "GET, HEAD, PUT, DELETE"]);
    const deleted = await world.app.inject({ method: "DELETE", url: "/ping" });
    expect([deleted.statusCode, deleted.headers.allow]).toEqual([405, "GET, HEAD"]);
    expect((await world.app.inject({ method: "HEAD", url: "/ping" })).statusCode).toBe(200);
  });

  test("an error of ours says nothing about itself", async () => {
    world.mysql.before = () => {
      throw sqlError(1142, "ER_TABLEACCESS_DENIED_ERROR");
    };
    const answer = await get("/api/property/1");
    expect([answer.statusCode, answer.body.includes("ER_")]).toEqual([500, false]);
  });
});

describe("what is told about it", () => {
  test("the OpenAPI document describes the API with the schemas that check it", async () => {
    const document = (await get("/api/openapi.json")).json<{
      openapi: string;
      paths: Record<string, Record<string, Record<string, unknown>>>;
    }>();
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths).sort()).toEqual(["/api/property", "/api/property/{id}"]);
    expect(Object.keys(document.paths["/api/property"] ?? {}).sort()).toEqual(["get", "post"]);
    expect(Object.keys(document.paths["/api/property/{id}"] ?? {}).sort()).toEqual([
      "delete",
      "get",
      "put",
    ]);
    const operation = document.paths["/api/property"]?.post;
    expect(operation).toMatchObject({
      requestBody: {
        content: {
          "application/json": {
            schema: {
              additionalProperties: false,
              required: ["title", "city", "kind", "price", "bedrooms", "area"],
              properties: { title: { type: "string", minLength: 1, maxLength: 200 } },
            },
          },
        },
      },
      responses: { "201": {}, "400": {}, "409": {}, "413": {}, "422": {}, "503": {} },
    });
  });

  test("metrics: by route and status, never by what a client may choose", async () => {
    world.readiness.ready();
    await post();
    await get("/api/property/1");
    await get("/api/property/2");
    await get("/any/thing");
    const text = (await get("/metrics")).body;
    for (const line of [
      'http_requests_total{method="POST",route="/api/property",status="201"} 1',
      'http_requests_total{method="GET",route="/api/property/:id",status="404"} 1',
      'http_requests_total{method="GET",route="other",status="404"} 1',
      'property_cache_reads_total{kind="item",result="miss-absent"} 2',
      'property_database_pool_connections{pool="primary",state="idle"} 1',
      'property_database_pool_waiting{pool="replicas"} 0',
      'property_breaker_state{breaker="cache"} 0',
      'property_write_wait_seconds_count{result="done"} 1',
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
    expect(text).toMatch(/^http_request_duration_seconds_bucket\{le="0.25",.*\} \d+$/m);
  });
});

describe("the schema", () => {
  const known = [
    { version: 1, file: "001.do.a.sql" },
    { version: 2, file: "002.do.b.sql" },
    { version: 3, file: "003.do.c.sql" },
  ];

  test("an application that needs a newer one does not come into service until it is there", async () => {
    const { database, mysql, readiness } = world;
    const lines: string[] = [];
    const told = pino({ messageKey: "message" }, { write: (line) => lines.push(line) });
    const done = awaitSchema(database, known, readiness, told, 5);
    await expect
      .poll(async () => (await get("/readyz")).json<unknown>())
      .toMatchObject({
        status: "outdated",
        detail:
          "the database's schema is at version 2, this application needs 3; not applied: 003.do.c.sql",
      });
    expect((await get("/readyz")).statusCode).toBe(503);
    expect(lines.at(-1)).toContain("not ready: the database's schema is at version 2");
    mysql.schemaVersion = 3;
    await done;
    expect((await get("/readyz")).statusCode).toBe(200);
  });

  test("a newer one is fine; once seen, no outage matters any more", async () => {
    const { database, mysql, readiness } = world;
    mysql.onConnect = () => {
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    mysql.schemaVersion = 9;
    const done = awaitSchema(database, known, readiness, log, 5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await get("/readyz")).json<unknown>()).toMatchObject({ status: "unverified" });
    mysql.onConnect = () => {};
    await done;
    mysql.onConnect = () => {
      throw Object.assign(new Error(), { code: "ECONNREFUSED" });
    };
    expect((await get("/readyz")).statusCode).toBe(200);
  });

  test("a database that was never migrated counts as version 0", async () => {
    const { database, mysql, readiness } = world;
    mysql.before = (_side, sql) => {
      if (sql.includes("schemaversion")) throw sqlError(1146, "ER_NO_SUCH_TABLE");
    };
    const done = awaitSchema(database, known, readiness, log, 5);
    await expect
      .poll(async () => (await get("/readyz")).json<{ detail: string }>().detail)
      .toMatch(/at version 0, .*not applied: 001.do.a.sql, 002.do.b.sql, 003.do.c.sql$/);
    readiness.drain();
    await done;
  });
});
