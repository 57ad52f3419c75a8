import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import {
  decodeEntry,
  decodeTag,
  encodeEntry,
  judgeEntry,
  requiredGtids,
} from "../../apps/property/cache/entries";
import { knownMigrations, missingMigrations } from "../../apps/property/commands/migrations";
import { cities, sampleProperty } from "../../apps/property/commands/seed";
import {
  commitMayHaveHappened,
  Conflict,
  connectionSurvives,
  errorLabel,
  faultOf,
  OutcomeUnknown,
  PoolTimeout,
} from "../../apps/property/database/errors";
import {
  decodeToken,
  encodeToken,
  includesGtids,
  joinGtids,
  parseGtids,
} from "../../apps/property/database/gtid";
import { decodeCursor, encodeCursor } from "../../apps/property/http/cursor";
import { idempotencyKey, ifMatch, requiredToken } from "../../apps/property/http/headers";
import { listQuery, propertyInput } from "../../apps/property/http/schemas";
import { requestHash } from "../../apps/property/properties/idempotency";
import { listSql, toPage } from "../../apps/property/properties/queries";
import { readSettings } from "../../apps/property/settings";
import { connectionLost, sqlError } from "./support/fakeMysql";

const a = "aaaaaaaa-0000-4000-8000-000000000001";
const b = "bbbbbbbb-0000-4000-8000-000000000002";

/** A set of GTIDs as MySQL may write it, and as plain elements. */
const gtidSet = fc
  .array(
    fc.record({
      source: fc.constantFrom(a, b, `${a}:tag`),
      from: fc.integer({ min: 1, max: 30 }),
      length: fc.integer({ min: 0, max: 5 }),
    }),
    { maxLength: 8 },
  )
  .map((ranges) => ({
    text: ranges
      .map(({ source, from, length }) =>
        length === 0 ? `${source}:${from}` : `${source}:${from}-${from + length}`,
      )
      .join(",\n"),
    elements: new Set(
      ranges.flatMap(({ source, from, length }) =>
        Array.from({ length: length + 1 }, (_, n) => `${source}:${from + n}`),
      ),
    ),
  }));

describe("sets of GTIDs", () => {
  test("what MySQL writes is read", () => {
    expect(parseGtids(`${a}:1-5:9`)).toEqual(
      new Map([
        [
          a,
          [
            [1, 5],
            [9, 9],
          ],
        ],
      ]),
    );
    expect(parseGtids(`${a}:1:2-3,\n${b}:tag:4:other:5`)).toEqual(
      new Map([
        [a, [[1, 3]]],
        [`${b}:tag`, [[4, 4]]],
        [`${b}:other`, [[5, 5]]],
      ]),
    );
    expect(parseGtids("")).toEqual(new Map());
  });

  test.each(["x", a, `${a}:`, `${a}:0`, `${a}:5-4`, `${a}:1'`, `${a}:1;DROP`, ":1", `${a}:-1`])(
    "%j is refused",
    (text) => expect(parseGtids(text)).toBeUndefined(),
  );

  test("one includes another exactly when its elements do", () => {
    fc.assert(
      fc.property(gtidSet, gtidSet, (whole, part) => {
        const expected = [...part.elements].every((element) => whole.elements.has(element));
        expect(includesGtids(whole.text, part.text)).toBe(expected);
      }),
    );
  });

  test("joined, they include each and nothing else", () => {
    fc.assert(
      fc.property(fc.array(gtidSet, { maxLength: 4 }), gtidSet, (sets, other) => {
        const joined = joinGtids(sets.map(({ text }) => text));
        for (const { text } of sets) expect(includesGtids(joined, text)).toBe(true);
        const all = new Set(sets.flatMap(({ elements }) => [...elements]));
        const expected = [...other.elements].every((element) => all.has(element));
        expect(includesGtids(joined, other.text)).toBe(expected);
        expect(joinGtids([joined])).toBe(joined);
      }),
    );
  });

  test("what cannot be read includes nothing and is included by nothing", () => {
    expect(includesGtids("nonsense", `${a}:1`)).toBe(false);
    expect(includesGtids(`${a}:1-5`, "nonsense")).toBe(false);
    expect(includesGtids("nonsense", "")).toBe(true);
    expect(() => joinGtids(["nonsense"])).toThrow("not a set of GTIDs: nonsense");
  });

  test("tokens come back as they were, and others are refused", () => {
    fc.assert(
      fc.property(gtidSet, ({ text }) => {
        expect(decodeToken(encodeToken(text))).toBe(text === "" ? undefined : text);
      }),
      { examples: [[{ text: `${a}:1-7`, elements: new Set() }]] },
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const gtids = decodeToken(text);
        if (gtids !== undefined) expect(encodeToken(gtids)).toBe(text);
      }),
    );
    const token = encodeToken(`${a}:1`);
    for (const bad of ["", `${token}=`, `${token} `, "a", encodeToken("x:1"), "A".repeat(2000)]) {
      expect(decodeToken(bad)).toBeUndefined();
    }
  });
});

describe("cursors", () => {
  const place = fc.oneof(
    fc.record({
      sort: fc.constantFrom("price" as const, "-price" as const),
      price: fc.integer({ min: 0, max: 2_000_000_000 }),
      id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
    fc.record({
      sort: fc.constant("newest" as const),
      price: fc.constant(undefined),
      id: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
  );

  test("they come back as they were", () => {
    fc.assert(
      fc.property(place, (cursor) => {
        expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
      }),
    );
  });

  test("whatever else is given is no cursor", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        const cursor = decodeCursor(text);
        if (cursor) expect(encodeCursor(cursor)).toBe(text);
      }),
    );
    const encode = (text: string) => Buffer.from(text).toString("base64url");
    for (const bad of [
      "",
      "price.1.2",
      encode("price.2"),
      encode("newest.1.2"),
      encode("price.01.2"),
    ]) {
      expect(decodeCursor(bad)).toBeUndefined();
    }
  });
});

describe("lists as SQL", () => {
  const columns =
    "id, title, description, city, kind, price, bedrooms, area, version, created_at, updated_at";

  test("filters, order and limit", () => {
    const query = listQuery.parse({
      city: " Berlin ",
      kind: "house",
      minPrice: "1",
      maxPrice: "9",
      bedrooms: "2",
      minBedrooms: "1",
      limit: "5",
    });
    expect(listSql(query)).toEqual({
      page: {
        text: `SELECT ${columns} FROM property WHERE city = ? AND kind = ? AND price >= ? AND price <= ? AND bedrooms = ? AND bedrooms >= ? ORDER BY price, id LIMIT 6`,
        values: ["Berlin", "house", 1, 9, 2, 1],
      },
      total: {
        text: "SELECT COUNT(*) AS total FROM property WHERE city = ? AND kind = ? AND price >= ? AND price <= ? AND bedrooms = ? AND bedrooms >= ?",
        values: ["Berlin", "house", 1, 9, 2, 1],
      },
    });
    expect(listSql(listQuery.parse({})).page).toEqual({
      text: `SELECT ${columns} FROM property ORDER BY price, id LIMIT 21`,
      values: [],
    });
  });

  test("a cursor goes on behind its place, in its own order only", () => {
    const page = (sort: string, cursor: string) => listSql(listQuery.parse({ sort, cursor })).page;
    const up = encodeCursor({ sort: "price", price: 7, id: 3 });
    expect(page("price", up)).toEqual({
      text: `SELECT ${columns} FROM property WHERE price >= ? AND (price > ? OR id > ?) ORDER BY price, id LIMIT 21`,
      values: [7, 7, 3],
    });
    const down = encodeCursor({ sort: "-price", price: 7, id: 3 });
    expect(page("-price", down).text).toContain(
      "WHERE price <= ? AND (price < ? OR id < ?) ORDER BY price DESC, id DESC",
    );
    const newest = encodeCursor({ sort: "newest", price: undefined, id: 3 });
    expect(page("newest", newest)).toMatchObject({
      text: expect.stringContaining("WHERE id < ? ORDER BY id DESC") as string,
      values: [3],
    });
    for (const [sort, cursor] of [
      ["price", down],
      ["newest", up],
      ["price", "x"],
    ] as const) {
      expect(() => page(sort, cursor)).toThrow("the request is not valid");
    }
  });

  test("no value of a request is ever part of the SQL's text", () => {
    const texts = new Set<string>();
    fc.assert(
      fc.property(
        fc
          .string({ minLength: 1, maxLength: 80 })
          .filter((city) => propertyInput.shape.city.safeParse(city).success),
        (city) => {
          const { text, values } = listSql(listQuery.parse({ city })).page;
          texts.add(text);
          expect(values).toEqual([city.trim().normalize("NFC")]);
        },
      ),
      { examples: [["'; DROP TABLE property; -- "]] },
    );
    expect(texts.size).toBe(1);
  });

  test("one row more than the limit means another page", () => {
    const rows = [1, 2, 3].map((id) => ({
      ...{ id, title: "t", description: "", city: "c", kind: "house", price: 10 * id },
      ...{ bedrooms: 1, area: 2, version: 1 },
      ...{ created_at: "2026-01-02 03:04:05", updated_at: "2026-01-02 03:04:05.6" },
    }));
    const query = listQuery.parse({ limit: "2" });
    expect(toPage(rows, query)).toMatchObject({
      items: [
        { id: 1, createdAt: "2026-01-02T03:04:05.000Z", updatedAt: "2026-01-02T03:04:05.600Z" },
        { id: 2 },
      ],
      nextCursor: encodeCursor({ sort: "price", price: 20, id: 2 }),
    });
    expect(toPage(rows.slice(0, 2), query).nextCursor).toBeNull();
    expect(toPage([], query)).toEqual({ items: [], nextCursor: null });
  });
});

describe("errors of the database", () => {
  test.each([
    [sqlError(1290, "ER_OPTION_PREVENTS_STATEMENT"), "not-primary"],
    [sqlError(1836, "ER_READ_ONLY_MODE"), "not-primary"],
    [sqlError(1792, "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION"), "not-primary"],
    [sqlError(3100, "ER_RUN_HOOK_ERROR"), "not-primary"],
    [sqlError(3101, "ER_TRANSACTION_ROLLBACK_DURING_COMMIT"), "not-primary"],
    [sqlError(3032, "ER_SERVER_OFFLINE_MODE"), "unavailable"],
    [sqlError(1053, "ER_SERVER_SHUTDOWN"), "unavailable"],
    [sqlError(2013, "CR_SERVER_LOST"), "unavailable"],
    [sqlError(1045, "ER_ACCESS_DENIED_ERROR"), "unavailable"],
    [Object.assign(new Error(), { code: "ECONNRESET" }), "unavailable"],
    [Object.assign(new Error(), { code: "PROTOCOL_SEQUENCE_TIMEOUT" }), "unavailable"],
    [Object.assign(new Error(), { code: "ERR_TLS_CERT_ALTNAME_INVALID" }), "unavailable"],
    [connectionLost(), "unavailable"],
    [new PoolTimeout("none"), "unavailable"],
    [new OutcomeUnknown(connectionLost()), "unavailable"],
    [sqlError(1213, "ER_LOCK_DEADLOCK"), "conflict"],
    [sqlError(1205, "ER_LOCK_WAIT_TIMEOUT"), "conflict"],
    [new Conflict("x"), "conflict"],
    [sqlError(1062, "ER_DUP_ENTRY"), "duplicate"],
    [sqlError(1064, "ER_PARSE_ERROR"), "other"],
    [sqlError(1142, "ER_TABLEACCESS_DENIED_ERROR"), "other"],
    [new TypeError("a mistake of ours"), "other"],
    ["text", "other"],
    [undefined, "other"],
  ])("%s means %s", (error, fault) => expect(faultOf(error)).toBe(fault));

  test("only errors that rolled back for certain leave no doubt about a commit", () => {
    const doubtful = [
      connectionLost(),
      sqlError(3100, "X"),
      sqlError(1053, "X"),
      sqlError(1317, "X"),
    ];
    for (const error of doubtful) expect(commitMayHaveHappened(error)).toBe(true);
    for (const errno of [1205, 1213, 1290, 1792, 1836, 3101]) {
      expect(commitMayHaveHappened(sqlError(errno, "X"))).toBe(false);
    }
  });

  test("a connection outlives conflicts and duplicates only", () => {
    expect([1213, 1205, 1062].map((errno) => connectionSurvives(sqlError(errno, "X")))).toEqual([
      true,
      true,
      true,
    ]);
    for (const error of [sqlError(1290, "X"), sqlError(1064, "X"), connectionLost()]) {
      expect(connectionSurvives(error)).toBe(false);
    }
  });

  test("labels are bounded", () => {
    expect(errorLabel(sqlError(1290, "ER_OPTION_PREVENTS_STATEMENT"))).toBe(
      "ER_OPTION_PREVENTS_STATEMENT",
    );
    expect(errorLabel(new OutcomeUnknown(connectionLost()))).toBe("PROTOCOL_CONNECTION_LOST");
    for (const error of [undefined, new Error("x"), { code: "text of any kind" }, { code: 7 }]) {
      expect(errorLabel(error)).toBe("other");
    }
  });
});

describe("cached values", () => {
  const options = { now: 100_000, ttlMs: 30_000 };
  const entry = { stamp: "s1", storedAt: 90_000, covers: `${a}:1-5`, body: '{"x":"line\\nend"}' };
  const text = encodeEntry(entry);

  test("entries come back as they were", () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.nat(),
        gtidSet,
        fc.string(),
        (stamp, storedAt, { text: set }, body) => {
          const one = { stamp, storedAt, covers: set.replace(/\n/g, ""), body };
          expect(decodeEntry(encodeEntry(one))).toEqual(one);
        },
      ),
    );
    for (const bad of ["", "x", "s\n1\nc", "s\nx\nc\nb", "\n1\nc\nb"]) {
      expect(decodeEntry(bad)).toBeUndefined();
    }
  });

  test("served while the stamp is the tag's, within the time, and fresh enough", () => {
    const hit = { result: "hit", body: entry.body, covers: entry.covers };
    expect(judgeEntry(text, "s1\n", options)).toEqual(hit);
    expect(judgeEntry(text, `s1\n${a}:3|1`, options)).toEqual(hit);
    expect(judgeEntry(text, "s1\n", { ...options, after: `${a}:5` })).toEqual(hit);
    const reason = (...args: Parameters<typeof judgeEntry>) => judgeEntry(...args);
    const miss = (why: string) => ({ result: "miss", reason: why });
    expect(reason(null, "s1\n", options)).toEqual(miss("absent"));
    expect(reason("damaged", "s1\n", options)).toEqual(miss("absent"));
    expect(reason(text, null, options)).toEqual(miss("invalidated"));
    expect(reason(text, "s2\n", options)).toEqual(miss("invalidated"));
    expect(reason(text, "s11\n", options)).toEqual(miss("invalidated"));
    expect(reason(text, "s1\n", { ...options, now: 119_999 }).result).toBe("hit");
    expect(reason(text, "s1\n", { ...options, now: 120_000 })).toEqual(miss("expired"));
    expect(reason(text, "s1\n", { ...options, after: `${a}:6` })).toEqual(miss("behind"));
    expect(reason(text, "s1\n", { ...options, after: `${b}:1` })).toEqual(miss("behind"));
  });

  test("a tag says what a fill must include", () => {
    expect(decodeTag("s1\n")).toEqual({ stamp: "s1", writes: [] });
    const tag = decodeTag(`s2\n${a}:3|111;${a}:4,${b}:1|222`);
    expect(tag).toEqual({ stamp: "s2", writes: [`${a}:3`, `${a}:4,${b}:1`] });
    expect(requiredGtids(tag)).toBe(`${a}:3-4,${b}:1`);
    expect(requiredGtids(decodeTag("s1\n"))).toBe("");
    expect(requiredGtids(decodeTag(`s3\n${a}:3|1;?|2`))).toBeUndefined();
  });
});

describe("headers", () => {
  const token = encodeToken(`${a}:7`);

  test("the token comes from the header, else from the cookie", () => {
    expect(requiredToken({ "consistency-token": token })).toBe(`${a}:7`);
    expect(requiredToken({ cookie: `x=1; consistency=${token}; y=2` })).toBe(`${a}:7`);
    const other = encodeToken(`${a}:8`);
    expect(requiredToken({ "consistency-token": other, cookie: `consistency=${token}` })).toBe(
      `${a}:8`,
    );
    expect(requiredToken({ cookie: "consistency=stale" })).toBeUndefined();
    expect(requiredToken({})).toBeUndefined();
    expect(() => requiredToken({ "consistency-token": "stale" })).toThrow("not valid");
  });

  test("idempotency keys and If-Match are checked", () => {
    expect(idempotencyKey({ "idempotency-key": "order-1" })).toBe("order-1");
    expect(idempotencyKey({})).toBeUndefined();
    for (const bad of ["", "a b", "é", "x".repeat(101)]) {
      expect(() => idempotencyKey({ "idempotency-key": bad })).toThrow("not valid");
    }
    expect([ifMatch({}), ifMatch({ "if-match": "*" }), ifMatch({ "if-match": '"3"' })]).toEqual([
      undefined,
      undefined,
      3,
    ]);
    for (const bad of ["3", 'W/"3"', '"x"', '"1", "2"']) {
      expect(() => ifMatch({ "if-match": bad })).toThrow("not valid");
    }
  });

  test("the same request has the same hash, another another", () => {
    expect(requestHash(["POST", { a: 1 }])).toEqual(requestHash(["POST", { a: 1 }]));
    expect(requestHash(["POST", { a: 1 }])).not.toEqual(requestHash(["POST", { a: 2 }]));
    expect(requestHash(["PUT", 1, 23])).not.toEqual(requestHash(["PUT", 12, 3]));
  });
});

describe("sample properties", () => {
  test("they are the same every time, valid, and spread", () => {
    const some = Array.from({ length: 2000 }, (_, n) => sampleProperty(n + 1));
    for (const one of some) expect(propertyInput.parse(one)).toEqual(one);
    expect(sampleProperty(42)).toEqual(sampleProperty(42));
    expect(new Set(some.map(({ city }) => city)).size).toBe(cities.length);
    expect(new Set(some.map(({ price }) => price)).size).toBeGreaterThan(900);
  });
});

describe("migrations", () => {
  test("versions follow each other without a gap", () => {
    const known = knownMigrations("apps/property/migrations");
    expect(known.map(({ version }) => version)).toEqual(known.map((_, n) => n + 1));
    expect(known.map(({ file }) => file).slice(0, 2)).toEqual([
      "001.do.create-property.sql",
      "002.do.create-idempotency.sql",
    ]);
  });

  test("what a schema lacks is named; a newer one lacks nothing", () => {
    const known = [
      { version: 1, file: "001.do.a.sql" },
      { version: 2, file: "002.do.b.sql" },
    ];
    expect(missingMigrations(known, 0)).toEqual(["001.do.a.sql", "002.do.b.sql"]);
    expect(missingMigrations(known, 1)).toEqual(["002.do.b.sql"]);
    expect(missingMigrations(known, 2)).toEqual([]);
    expect(missingMigrations(known, 9)).toEqual([]);
  });
});

describe("settings", () => {
  const folder = mkdtempSync(join(tmpdir(), "property-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["ca.pem", "mysql-password", "redis-password"]) {
    writeFileSync(join(folder, name), `${name}\n`);
  }
  const least = {
    NODE_NAME: "app-a",
    MYSQL_PRIMARY: "10.0.0.6:3306",
    MYSQL_REPLICAS: "10.0.0.6:3307",
    MYSQL_DATABASE: "app",
    SECRETS_DIR: folder,
  };

  test("defaults", () => {
    expect(readSettings({ ...least, GREETING: "" })).toEqual({
      host: "0.0.0.0",
      port: 8080,
      node: "app-a",
      greeting: "Hello, world!",
      logLevel: "info",
      drainMs: 2500,
      finishMs: 20_000,
      mysql: {
        primary: { host: "10.0.0.6", port: 3306 },
        replicas: { host: "10.0.0.6", port: 3307 },
        database: "app",
        user: "app",
        password: "mysql-password",
        ca: "ca.pem",
        poolSize: 10,
      },
      redis: undefined,
      readWaitMs: 4000,
      writeWaitMs: 10_000,
      consistencyWaitMs: 300,
      migrationWaitMs: 120_000,
      idempotencyMs: 86_400_000,
      cacheTtlMs: 30_000,
      flags: { cache: true },
    });
  });

  test("a cache and its flag", () => {
    const settings = readSettings({
      ...least,
      REDIS_SENTINELS: "10.0.0.51:26379,10.0.0.52:26379,[fd00::3]:26379",
      FLAG_CACHE: "off",
    });
    expect(settings.flags).toEqual({ cache: false });
    expect(settings.redis).toEqual({
      sentinels: [
        { host: "10.0.0.51", port: 26379 },
        { host: "10.0.0.52", port: 26379 },
        { host: "fd00::3", port: 26379 },
      ],
      master: "cache",
      user: "app",
      password: "redis-password",
      ca: "ca.pem",
    });
  });

  test("every mistake is named at once", () => {
    const wrong = {
      PORT: "80.5",
      LOG_LEVEL: "loud",
      DRAIN_SECONDS: "61",
      MYSQL_PRIMARY: "10.0.0.6",
      MYSQL_DATABASE: "a-b",
      REDIS_SENTINELS: "10.0.0.51:26379,",
      CACHE_TTL_SECONDS: "31",
      FLAG_CACHE: "yes",
      SECRETS_DIR: join(folder, "none"),
    };
    let message = "";
    try {
      readSettings(wrong);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.split("\n")).toEqual([
      "the environment of the property application is wrong:",
      '  PORT: found "80.5", allowed: a whole number, 0 to 65535',
      '  LOG_LEVEL: found "loud", allowed: one of fatal, error, warn, info, debug, trace, silent',
      '  DRAIN_SECONDS: found "61", allowed: a number, 0 to 60',
      '  MYSQL_PRIMARY: found "10.0.0.6", allowed: host:port',
      "  MYSQL_REPLICAS: found nothing, allowed: host:port",
      '  MYSQL_DATABASE: found "a-b", allowed: letters, digits and underscores',
      '  REDIS_SENTINELS: found "10.0.0.51:26379,", allowed: host:port, more of them separated by commas',
      '  CACHE_TTL_SECONDS: found "31", allowed: a number, 1 to 30',
      '  FLAG_CACHE: found "yes", allowed: one of on, off',
      `  ${join(folder, "none", "ca.pem")}: cannot be read (ENOENT)`,
      `  ${join(folder, "none", "mysql-password")}: cannot be read (ENOENT)`,
      `  ${join(folder, "none", "redis-password")}: cannot be read (ENOENT)`,
    ]);
  });
});
