import { describe, expect, test } from "vitest";
import { contentOf, judgeWrite, seenIn, sequenceOf } from "../../loadtests/ledger/api";
import { describeReport, summarise, type Exchange } from "../../loadtests/ledger/exchanges";
import type { Read, Row } from "../../loadtests/ledger/history";

const header = "consistency-token";
const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  body: typeof body === "string" ? body : JSON.stringify(body),
  requestId: undefined,
  headers,
});

describe("what an answer to a write means", () => {
  const stored = { id: 17, ...contentOf("m-1", 2), version: 2 };

  test("an acknowledgement with its token", () => {
    const token = { [header]: "t" };
    expect(judgeWrite("update", "m-1", 2, answer(200, stored, token))).toEqual({
      outcome: "acknowledged",
      token: "t",
      id: "17",
    });
    expect(judgeWrite("delete", "m-1", undefined, answer(204, "", token))).toEqual({
      outcome: "acknowledged",
      token: "t",
    });
  });

  test("an acknowledgement that contradicts the request is told", () => {
    const token = { [header]: "t" };
    expect(judgeWrite("update", "m-1", 3, answer(200, stored, token))).toMatchObject({
      outcome: "acknowledged",
      contradiction: expect.stringContaining("the answer shows") as string,
    });
    expect(judgeWrite("update", "m-1", 2, answer(200, stored))).toMatchObject({
      outcome: "acknowledged",
      contradiction: "no header Consistency-Token",
    });
    expect(judgeWrite("create", "m-1", 1, answer(200, stored, token))).toMatchObject({
      outcome: "unknown",
      contradiction: "status 200",
    });
  });

  test.each([
    ["no connection", { reason: "refused", detail: "" }, "refused"],
    ["no TLS", { reason: "tls", detail: "" }, "refused"],
    ["a timeout", { reason: "timeout", detail: "" }, "unknown"],
    ["a reset", { reason: "reset", detail: "" }, "unknown"],
    ["a connection that was closed", { reason: "closed", detail: "" }, "unknown"],
    ["503: nothing was done", answer(503, { status: 503, outcome: "none" }), "refused"],
    ["503 of a load balancer", answer(503, "<html>"), "refused"],
    ["503: nobody knows", answer(503, { status: 503, outcome: "unknown" }), "unknown"],
    ["500", answer(500, { status: 500 }), "unknown"],
    ["502", answer(502, "<html>"), "unknown"],
    ["504", answer(504, "<html>"), "unknown"],
    ["409: the same key is under way", answer(409, { status: 409, outcome: "none" }), "refused"],
  ] as const)("%s", (_name, outcome, expected) => {
    expect(judgeWrite("create", "m-1", 1, outcome)).toEqual({ outcome: expected });
  });

  test("a deletion that finds nothing may have been done before", () => {
    expect(judgeWrite("delete", "m-1", undefined, answer(404, { status: 404 }))).toEqual({
      outcome: "unknown",
    });
  });

  test("a proper request that is called wrong is told", () => {
    expect(judgeWrite("update", "m-1", 2, answer(404, { status: 404 }))).toEqual({
      outcome: "refused",
      contradiction: 'status 404: {"status":404}',
    });
    expect(judgeWrite("create", "m-1", 1, answer(400, "no"))).toMatchObject({
      contradiction: "status 400: no",
    });
  });
});

describe("what a read shows", () => {
  test("the change that all columns agree on", () => {
    expect(seenIn("m-1", answer(200, { id: 1, ...contentOf("m-1", 12) }))).toEqual({ state: 12 });
    // As the database's own client prints them.
    const texts = Object.entries(contentOf("m-1", 3)).map(([key, value]) => [key, String(value)]);
    expect(sequenceOf("m-1", Object.fromEntries(texts) as Record<string, string>)).toBe(3);
  });

  test("columns of two changes, or of another row, contradict", () => {
    const torn = { ...contentOf("m-1", 12), area: 11 };
    expect(seenIn("m-1", answer(200, torn))?.contradiction).toContain('"area":11');
    expect(seenIn("m-1", answer(200, contentOf("m-2", 12)))?.contradiction).toBeDefined();
  });

  test("no row, said by the application and by nobody else", () => {
    expect(seenIn("m-1", answer(404, { status: 404 }))).toEqual({ state: undefined });
    expect(seenIn("m-1", answer(404, "<html>not found"))).toBeUndefined();
  });

  test("anything else is a failed read", () => {
    expect(seenIn("m-1", answer(503, { status: 503 }))).toBeUndefined();
    expect(seenIn("m-1", answer(200, "not JSON"))).toBeUndefined();
  });
});

describe("summing up", () => {
  const exchange = (at: number, more: Partial<Exchange> = {}): Exchange => ({
    at,
    ms: 10,
    kind: "update",
    result: "ok",
    detail: "",
    ...more,
  });
  const window = { from: 0, to: 10_000, staleMs: 30_000 };
  const sum = (exchanges: readonly Exchange[], reads: readonly Read[] = []) =>
    summarise(exchanges, reads, window);

  test("counts by outcome, in the window alone", () => {
    const report = sum([
      exchange(0),
      exchange(1, { result: "refused" }),
      exchange(2, { result: "unknown" }),
      exchange(3, { ms: 5001 }),
      exchange(4, { kind: "read" }),
      exchange(5, { kind: "read", result: "failed" }),
      exchange(6, { kind: "read", ms: 6000 }),
      exchange(10_000, { result: "unknown" }),
    ]);
    expect(report.writes).toEqual({
      sent: 4,
      acknowledged: 2,
      refused: 1,
      unknown: 1,
      slow: 1,
    });
    expect(report.reads).toEqual({ sent: 3, failed: 2, own: 0 });
    expect(report.longestWriteMs).toBe(5001);
    expect(report.longestReadMs).toBe(6000);
    expect(report.failures).toHaveLength(5);
  });

  test("the longest time without an acknowledgement, edges included", () => {
    expect(sum([exchange(90), exchange(3990), exchange(9990)]).longestSilenceMs).toBe(6000);
    expect(sum([exchange(7990)]).longestSilenceMs).toBe(8000);
    expect(sum([]).longestSilenceMs).toBe(10_000);
    // Reads and refusals do not end it; an answer to a request from before the window does.
    expect(
      sum([exchange(-10, { ms: 4010 }), exchange(6000, { kind: "read" })]).longestSilenceMs,
    ).toBe(6000);
    expect(sum([exchange(5000, { result: "refused" })]).longestSilenceMs).toBe(10_000);
  });

  test("what was read and must not have been", () => {
    const row: Row = {
      marker: "m-1",
      keyed: false,
      id: "1",
      writes: [
        {
          kind: "create",
          after: 1,
          begun: 0,
          ended: 100,
          outcome: "acknowledged",
          sends: 1,
          detail: "",
        },
      ],
    };
    const read = { row, begun: 200, ended: 210, seen: undefined, after: 0 };
    const report = sum([exchange(0)], [read, { ...read, begun: 20_000 }]);
    expect(report.violations).toHaveLength(1);
    expect(report.reads.own).toBe(1);
    expect(describeReport(report)).toContain("own write not seen (m-1)");
  });
});
