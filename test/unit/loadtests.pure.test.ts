import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAnswer, encodeRequest } from "../../loadtests/client/hpack";
import { AnswerReader } from "../../loadtests/client/http1";
import { kinds, planLoad, type LoadOptions } from "../../loadtests/client/options";
import { seeded, weighted } from "../../loadtests/client/random";
import { okCode, reasons, RecordLog, type Reason } from "../../loadtests/client/records";
import { LoadReport, percentile } from "../../loadtests/client/report";
import { judge } from "../../loadtests/shared";

describe("judging an answer", () => {
  const good = { status: 200, body: '{"message":"pong","nonce":"n-1"}' };
  const pong = { contains: '"message":"pong"' };

  test("a good answer passes", () => {
    expect(judge(good, "n-1", pong)).toBeUndefined();
    expect(judge({ ...good, status: 302 }, "n-1", pong)).toBeUndefined();
    expect(judge(good, undefined, { matches: "p.ng" })).toBeUndefined();
    expect(judge({ status: 404, body: "n-1" }, "n-1", { status: 404 })).toBeUndefined();
  });

  test("each fault has its reason", () => {
    expect(judge({ ...good, status: 500 }, "n-1", pong)?.reason).toBe("status");
    expect(judge({ ...good, status: 400 }, "n-1", pong)?.reason).toBe("status");
    expect(judge(good, "n-1", { status: 204 })?.reason).toBe("status");
    expect(judge(good, "n-2", pong)?.reason).toBe("nonce");
    expect(judge(good, "n-1", { contains: "other" })?.reason).toBe("body");
    expect(judge(good, "n-1", { matches: "^pong" })?.reason).toBe("body");
  });
});

describe("reading HTTP/1.1", () => {
  /** Feeds the text in pieces of the given size. */
  function read(text: string, size = text.length) {
    const reader = new AnswerReader();
    const bytes = Buffer.from(text, "latin1");
    let answer;
    for (let i = 0; i < bytes.length; i += size) answer = reader.push(bytes.subarray(i, i + size));
    return { answer: answer ?? reader.end(), keepAlive: reader.keepAlive };
  }

  const cases: [string, string, unknown, boolean][] = [
    [
      "a length",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Request-ID: r1\r\n\r\nhello",
      { status: 200, body: "hello", requestId: "r1" },
      true,
    ],
    [
      "chunks with an extension and a trailer",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nT: x\r\n\r\n",
      { status: 200, body: "hello", requestId: undefined },
      true,
    ],
    [
      "an end by closing",
      "HTTP/1.1 200 OK\r\n\r\nhello",
      { status: 200, body: "hello", requestId: undefined },
      false,
    ],
    [
      "an interim answer first",
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nok",
      { status: 200, body: "ok", requestId: undefined },
      true,
    ],
    [
      "a wish to close",
      "HTTP/1.1 503 Service Unavailable\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
      { status: 503, body: "", requestId: undefined },
      false,
    ],
    [
      "no body",
      "HTTP/1.1 204 No Content\r\n\r\n",
      { status: 204, body: "", requestId: undefined },
      true,
    ],
    [
      "HTTP/1.0",
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      { status: 200, body: "ok", requestId: undefined },
      false,
    ],
  ];

  test.each(cases)("%s, in pieces of any size", (_name, text, answer, keepAlive) => {
    for (let size = 1; size <= text.length; size++) {
      expect(read(text, size)).toMatchObject({ answer, keepAlive });
    }
  });

  test("the headers are those of the answer, not of an interim one before it", () => {
    const text =
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\nRetry-After:  3 \r\n\r\n";
    expect(read(text).answer?.headers).toEqual({ "content-length": "0", "retry-after": "3" });
  });

  test.each([
    ["another protocol", "SSH-2.0-OpenSSH\r\n\r\n"],
    ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    ["a chunk without a size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["a chunk without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc"],
    ["bytes after the end", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"],
    ["a huge body", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"],
    ["endless headers", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`],
  ])("refuses %s", (_name, text) => {
    expect(() => read(text)).toThrow();
  });

  test("is not complete while bytes are missing", () => {
    const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (let cut = 0; cut < text.length; cut++) {
      expect(read(text.slice(0, cut), 10).answer).toBeUndefined();
    }
  });

  test("gives back any body", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.integer({ min: 1, max: 50 }), (pieces, size) => {
        const parts = pieces.map((piece) => Buffer.from(piece, "utf8")).filter((p) => p.length > 0);
        const bytes = Buffer.concat([
          Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
          ...parts.flatMap((part) => [
            Buffer.from(`${part.length.toString(16)}\r\n`),
            part,
            Buffer.from("\r\n"),
          ]),
          Buffer.from("0\r\n\r\n"),
        ]);
        const reader = new AnswerReader();
        let answer;
        for (let i = 0; i < bytes.length; i += size)
          answer = reader.push(bytes.subarray(i, i + size));
        expect(answer?.body).toBe(Buffer.concat(parts).toString("utf8"));
      }),
      { numRuns: 50 },
    );
  });
});

describe("HTTP/2 headers", () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
  const literal = (text: string) => {
    const bytes = Buffer.from(text, "latin1");
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  };

  test("a request is written without compression", () => {
    expect(encodeRequest("10.77.0.5", "/ping", { "X-Nonce": "n1" })).toEqual(
      Buffer.concat([
        hex("82 87 01"),
        literal("10.77.0.5"),
        hex("04"),
        literal("/ping"),
        hex("00"),
        literal("x-nonce"),
        literal("n1"),
      ]),
    );
    // Lengths from 127 on take more than one byte (RFC 7541, 5.1).
    expect(encodeRequest("h", `/${"a".repeat(1336)}`, {}).subarray(5, 9)).toEqual(
      hex("04 7f ba 09"),
    );
  });

  test.each<[string, Buffer, number]>([
    ["an indexed status", hex("88"), 200],
    ["another after a table size update", hex("20 8d"), 404],
    ["a literal with an indexed name", hex("08 03 353033"), 503],
    ["a literal that goes to the table", hex("48 03 333032"), 302],
    // RFC 7541, C.6.1: 302 in Huffman code.
    ["a literal in Huffman code", hex("48 82 6402"), 302],
    ["the name written out", Buffer.concat([hex("00"), literal(":status"), literal("418")]), 418],
  ])("%s is read", (_name, block, status) => {
    expect(decodeAnswer(block)).toEqual({ status, requestId: undefined });
    const withId = Buffer.concat([block, hex("00"), literal("x-request-id"), literal("r1")]);
    expect(decodeAnswer(withId)).toEqual({ status, requestId: "r1" });
  });

  test.each([
    ["no status", hex("0f 10 01 61")],
    ["an entry of a table that was declined", hex("be")],
    ["a name of that table", hex("7f 00 01 61")],
    ["an early end", hex("08 05 35")],
    ["a number without end", hex("ff ff ff ff ff ff ff")],
    ["a status that is no number", hex("08 01 61")],
  ])("%s is refused", (_name, block) => {
    expect(() => decodeAnswer(block)).toThrow();
  });
});

describe("options", () => {
  const plan = (options: Partial<LoadOptions>) =>
    planLoad({ targets: { http: "http://10.77.0.5" }, networks: ["10.77.0.0/24"], ...options });

  test("defaults, and kinds without a target left out", () => {
    expect(plan({})).toMatchObject({
      http: { address: "10.77.0.5", port: 80, authority: "10.77.0.5" },
      https: undefined,
      rate: 300,
      mix: [
        ["http-new", 2],
        ["http-kept", 3],
      ],
      idle: { connections: 50, minMs: 1000, maxMs: 20_000, kinds: ["http-idle"] },
      timeoutMs: 5000,
      maxInFlight: 1900,
    });
    expect(plan({ targets: { https: "https://10.77.0.5:8443" }, idle: false })).toMatchObject({
      https: { address: "10.77.0.5", port: 8443, authority: "10.77.0.5:8443" },
      idle: { connections: 0 },
    });
  });

  test.each([
    "http://10.77.1.5",
    "http://8.8.8.8",
    "http://example.com",
    "http://localhost",
    "http://[2001:db8::1]",
    "http://169.254.169.254",
    "http://127.0.0.1.example.com",
    "http://0.0.0.0",
  ])("refuses %s: load goes to the stack's own addresses only", (http) => {
    expect(() => plan({ targets: { http } })).toThrow(
      /targets.http: found .*, allowed: an IPv4 address in 127.0.0.0\/8, 10.77.0.0\/24/,
    );
  });

  test("loopback is always allowed, whichever way it is written", () => {
    expect(planLoad({ targets: { http: "http://127.1:8080" } }).http?.address).toBe("127.0.0.1");
  });

  test("every mistake is named at once", () => {
    expect(() =>
      plan({
        targets: { http: "https://10.77.0.5", https: "nonsense" },
        rate: 5000,
        idle: { connections: 1000, minMs: 5, maxMs: 1 },
        mix: { "http-new": -1 },
        maxDurationMs: Infinity,
        paths: [{ path: "ping", weight: 0 }],
      }),
    ).toThrow(
      [
        "the load cannot start:",
        '  targets.http: found "https://10.77.0.5", allowed: an origin such as http://10.77.0.5',
        '  targets.https: found "nonsense", allowed: an origin such as https://10.77.0.5',
        "  mix.http-new: found -1, allowed: 0 or more",
        "  idle.connections: found 1000, allowed: 0 to 500",
        "  idle.minMs: found 5, allowed: 0 to 1",
        "  rate: found 5000, allowed: 0 to 2000",
        "  paths: found none with a weight above 0, allowed: at least one",
        '  paths: found "ping", allowed: a path that starts with /',
        "  maxDurationMs: found Infinity, allowed: 1 to 14400000",
      ].join("\n"),
    );
    expect(() => planLoad({ targets: {} })).toThrow(/targets: found none/);
    expect(() => plan({ mix: { h2: 1 } })).toThrow(/mix: found no kind with a weight above 0/);
  });
});

describe("report", () => {
  function report(entries: readonly [at: number, ms: number, outcome?: Reason][], to = 10_000) {
    const log = new RecordLog();
    for (const [at, ms, outcome] of entries) {
      const code = outcome ? reasons.indexOf(outcome) + 1 : okCode;
      log.add(at, ms, kinds.indexOf("http-new"), code);
    }
    return new LoadReport({
      records: log.records(),
      samples: entries.flatMap(([at, latencyMs, reason]) =>
        reason
          ? [{ at, latencyMs, reason, kind: "http-new" as const, path: "/ping", detail: "planted" }]
          : [],
      ),
      answers: {},
      reopened: 0,
      generator: { cpuSeconds: 1, cores: 0.1, lagMeanMs: 0, lagMaxMs: 0 },
      from: 0,
      to,
    });
  }
  const even = (count: number) =>
    Array.from({ length: count }, (_, i) => [i * 10, 5] as [number, number]);

  test("all well", () => {
    const all = report(even(1000));
    expect(all).toMatchObject({
      planned: 1000,
      sent: 1000,
      ok: 1000,
      failed: 0,
      rate: 100,
      sentShare: 1,
      failureSeconds: 0,
      failureSpanMs: 0,
      failures: [],
      longestMs: 5,
    });
    expect(all.timeline).toHaveLength(10);
    expect(all.timeline[3]).toEqual({
      at: 3000,
      planned: 100,
      ok: 100,
      failed: 0,
      p99Ms: 5,
      maxMs: 5,
    });
    expect(all.verdict()).toEqual({ passed: true, problems: [] });
  });

  test("failures by reason, with their span, their worth in seconds, and the hang", () => {
    const planted = report([
      ...even(998),
      [4000.5, 5000, "timeout"],
      [4500.5, 1, "reset"],
      [4600.5, 1, "reset"],
    ]);
    expect(planted).toMatchObject({
      planned: 1001,
      failed: 3,
      longestMs: 5000,
      failureSpanMs: 600,
    });
    expect(planted.failureSeconds).toBeCloseTo(0.03, 3);
    expect(
      planted.failures.map(({ reason, count, firstAt, lastAt }) => [
        reason,
        count,
        firstAt,
        lastAt,
      ]),
    ).toEqual([
      ["reset", 2, 4500.5, 4600.5],
      ["timeout", 1, 4000.5, 4000.5],
    ]);
    expect(planted.verdict().problems).toEqual(["3 of 1001 requests failed"]);
    expect(planted.describe()).toContain("timeout: 1 from 00:00:04.000");
    expect(planted.latency.all.maxMs).toBe(5);
    expect(JSON.parse(JSON.stringify(planted))).not.toHaveProperty("raw");
  });

  test("requests that were planned and not sent count: 1 % is allowed, more is not", () => {
    const dropped = (count: number) =>
      report([
        ...even(1000 - count),
        ...Array.from({ length: count }, (_, i) => [i, 0, "not-sent"] as [number, number, Reason]),
      ]);
    expect(dropped(10).verdict().passed).toBe(true);
    expect(dropped(10)).toMatchObject({ failed: 10, notSent: 10, sent: 990, sentShare: 0.99 });
    expect(dropped(11).verdict()).toEqual({
      passed: false,
      problems: ["only 98.90 % of 1000 planned requests were sent, at least 99.00 % must be"],
    });
  });

  test("a window sees only what was planned in it", () => {
    const all = report([...even(1000), [4000.5, 5000, "timeout"]]);
    expect(all.window(0, 4000)).toMatchObject({
      planned: 400,
      failed: 0,
      rate: 100,
      from: 0,
      to: 4000,
    });
    expect(all.window(4000, 5000)).toMatchObject({ planned: 101, failed: 1, longestMs: 5000 });
    expect(all.window(4000, 5000).failures[0]?.samples).toHaveLength(1);
    expect(all.window(5000, 99_000)).toMatchObject({ planned: 500, failed: 0, to: 10_000 });
  });

  test("nothing planned is no success", () => {
    expect(report([]).verdict()).toEqual({ passed: false, problems: ["no request was planned"] });
  });

  test("grows past its first size and keeps every record", () => {
    const many = report(Array.from({ length: 10_000 }, (_, i) => [i, i] as [number, number]));
    expect(many).toMatchObject({ planned: 10_000, longestMs: 9999 });
    expect(many.latency.all).toMatchObject({ p50Ms: 4999, p99Ms: 9899, maxMs: 9999 });
  });
});

describe("chance", () => {
  test("the same seed gives the same numbers in [0, 1)", () => {
    const draw = (seed: number) => {
      const random = seeded(seed);
      return Array.from({ length: 1000 }, random);
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = draw(7).reduce((sum, value) => sum + value, 0) / 1000;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
  });

  test("weights are kept", () => {
    const pick = weighted(
      [
        ["a", 1],
        ["b", 3],
        ["never", 0],
      ],
      seeded(1),
    );
    const counts: Record<string, number> = {};
    for (let i = 0; i < 4000; i++) counts[pick()] = (counts[pick()] ?? 0) + 1;
    expect(Object.keys(counts).sort()).toEqual(["a", "b"]);
    expect(() => weighted([["a", 0]], seeded(1))).toThrow(/no weight is above 0/);
  });

  test("percentiles", () => {
    expect(percentile([], 0.99)).toBe(0);
    expect(percentile([7], 0.5)).toBe(7);
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
  });
});
