import { expect, it } from "vitest";
import type { DataStack } from "../../support/dataStack";
import { snapshotsOf } from "../../support/members";

interface BadRequest {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
}

const good = {
  title: "t",
  description: "",
  city: "c",
  kind: "house",
  price: 1,
  bedrooms: 1,
  area: 1,
};
const path = "/api/property";
const withField = (more: object) => JSON.stringify({ ...good, ...more });
const sqlText = encodeURIComponent("1; DROP TABLE property");

const badRequests: readonly BadRequest[] = [
  { what: "no JSON", method: "POST", path, body: "{", status: 400 },
  { what: "JSON that is no object", method: "POST", path, body: "[1]", status: 400 },
  { what: "an empty body", method: "POST", path, body: "", status: 400 },
  { what: "a missing field", method: "POST", path, body: "{}", status: 400 },
  {
    what: "a price that is text",
    method: "POST",
    path,
    body: withField({ price: "1" }),
    status: 400,
  },
  { what: "a negative price", method: "POST", path, body: withField({ price: -1 }), status: 400 },
  { what: "a broken number", method: "POST", path, body: withField({ area: 1.5 }), status: 400 },
  {
    what: "an unknown kind",
    method: "POST",
    path,
    body: withField({ kind: "castle" }),
    status: 400,
  },
  { what: "an unknown field", method: "POST", path, body: withField({ admin: true }), status: 400 },
  {
    what: "a title beyond its length",
    method: "POST",
    path,
    body: withField({ title: "x".repeat(201) }),
    status: 400,
  },
  {
    what: "a body beyond the application's size",
    method: "POST",
    path,
    body: withField({ description: "x".repeat(100_000) }),
    status: 413,
  },
  {
    what: "another content type",
    method: "POST",
    path,
    body: withField({}),
    headers: { "Content-Type": "application/xml" },
    status: 415,
  },
  {
    what: "a key that is none",
    method: "POST",
    path,
    body: withField({}),
    headers: { "Idempotency-Key": "x".repeat(300) },
    status: 400,
  },
  { what: "SQL as an id", method: "GET", path: `${path}/${sqlText}`, status: 400 },
  { what: "SQL as an order", method: "GET", path: `${path}?sort=${sqlText}`, status: 400 },
  { what: "SQL as a limit", method: "GET", path: `${path}?limit=${sqlText}`, status: 400 },
  { what: "a huge id", method: "GET", path: `${path}/99999999999999999999999`, status: 400 },
  {
    what: "an id that nothing has",
    method: "DELETE",
    path: `${path}/9007199254740991`,
    status: 404,
  },
  { what: "a negative id", method: "PUT", path: `${path}/-1`, body: withField({}), status: 400 },
  {
    what: "a token that is none",
    method: "GET",
    path,
    headers: { "Consistency-Token": "x" },
    status: 400,
  },
  { what: "a method that is not there", method: "PATCH", path, body: withField({}), status: 405 },
];

/** Requests that are wrong, and what the database does with those that are right. */
export function requests(data: DataStack): void {
  const { stack } = data;

  it("refuses every bad request with what is wrong, and changes nothing", async () => {
    const { vip } = await stack.outputs();
    const members = await data.nodesOf("mysqlCluster");
    const before = await snapshotsOf(stack, members, "none");
    const answers = await Promise.all(
      badRequests.map(async ({ what, method, path: target, body, headers }) => {
        const answer = await fetch(`http://${vip}${target}`, {
          method,
          headers: {
            ...(body !== undefined && { "Content-Type": "application/json" }),
            ...headers,
          },
          ...(body !== undefined && { body }),
        });
        const problem = (await answer.json()) as { status?: number };
        return { what, status: answer.status, told: problem.status };
      }),
    );
    expect(answers).toEqual(
      badRequests.map(({ what, status }) => ({ what, status, told: status })),
    );
    expect(await snapshotsOf(stack, members, "none")).toEqual(before);
  });

  it("answers a body that is too large before a proxy meets a closed connection, every time", async () => {
    const { vip } = await stack.outputs();
    const large = badRequests.find(({ status }) => status === 413)!;
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const answer = await fetch(`http://${vip}${path}`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: large.body!,
        });
        await answer.text();
        return answer.status;
      }),
    );
    expect(statuses.filter((status) => status !== 413)).toEqual([]);
  });

  it("takes SQL in a filter for what it is: text that no row has", async () => {
    const { vip } = await stack.outputs();
    const city = encodeURIComponent("' OR '1'='1");
    const answer = await fetch(`http://${vip}${path}?city=${city}`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ items: [], nextCursor: null });
  });

  it("finds every list by an index, and tells the plans", async () => {
    const plans = await data.plans();
    expect(plans.length).toBeGreaterThan(10);
    expect(plans.filter(({ key }) => key === null)).toEqual([]);
  });
}
