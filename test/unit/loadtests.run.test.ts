import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LoadReport } from "../../loadtests/client";
import { readK6Summary } from "../../loadtests/k6Summary";
import { renderPage } from "../../loadtests/page";
import { runSettings } from "../../loadtests/settings";
import { targetsOf } from "../../loadtests/stackOutputs";

// Real servers and processes: slow where the computer is busy.
vi.setConfig({ testTimeout: 20_000, hookTimeout: 20_000 });

describe("settings of a run", () => {
  test("defaults, environment, words", () => {
    expect(runSettings(["SCENARIO=steady"], {})).toEqual({
      scenario: "steady",
      stack: "dev",
      rate: 300,
      durationSeconds: 60,
      app: "hello",
      paths: undefined,
      httpsPort: 443,
      outputsFile: undefined,
    });
    expect(
      runSettings(["SCENARIO=roll", "STACK=hello", "RATE="], {
        RATE: "50",
        STACK: "dev",
        PATHS: "/,/a",
      }),
    ).toMatchObject({
      scenario: "roll",
      stack: "hello",
      rate: 50,
      durationSeconds: 600,
      paths: ["/", "/a"],
    });
  });

  test("every mistake names key, found and allowed", () => {
    expect(() =>
      runSettings(["SCENARIO=steddy", "STACK=--x", "FOO=1", "RATE=0"], {
        DURATION: "1h",
        APP: "shop",
        PATHS: "a",
      }),
    ).toThrow(
      [
        "the load cannot start:",
        '  found "FOO=1", allowed: SCENARIO=, STACK=, RATE=, DURATION=, APP=, PATHS=, HTTPS_PORT=, OUTPUTS=',
        '  SCENARIO: found "steddy", allowed: one of smoke, steady, roll, noretry',
        '  STACK: found "--x", allowed: the name of a stack',
        '  PATHS: found "a", allowed: paths that start with /',
        '  APP: found "shop", allowed: one of hello, property',
        '  RATE: found "0", allowed: above 0, at most 2000',
        '  DURATION: found "1h", allowed: above 0, at most 14400',
        "usage: make load",
      ].join("\n"),
    );
    expect(() => runSettings([], {})).toThrow(/SCENARIO: found nothing, allowed: one of smoke/);
  });
});

describe("targets", () => {
  const stack = {
    url: "http://10.77.0.5",
    vip: "10.77.0.5",
    caCertificate: "PEM",
    machines: { "vm-web-a": { address: "10.77.0.21" } },
  };

  test("of a stack with a virtual address", () => {
    expect(targetsOf(stack)).toEqual({
      http: "http://10.77.0.5",
      https: "https://10.77.0.5",
      addresses: ["10.77.0.5", "10.77.0.21"],
    });
    expect(targetsOf({ ...stack, url: "http://10.77.0.5:8000/" }, 8443)).toMatchObject({
      http: "http://10.77.0.5:8000",
      https: "https://10.77.0.5:8443",
    });
    expect(targetsOf({ ...stack, url: "https://10.77.0.5" })).toEqual({
      https: "https://10.77.0.5",
      addresses: ["10.77.0.5", "10.77.0.21"],
    });
  });

  test("without a load balancer the machine itself, and no HTTPS", () => {
    expect(targetsOf({ url: "http://10.77.0.21:8080", machines: stack.machines })).toEqual({
      http: "http://10.77.0.21:8080",
      addresses: ["10.77.0.21"],
    });
  });

  test.each([
    [{}, /no output url/],
    [
      { ...stack, url: "http://8.8.8.8" },
      /found 8.8.8.8, allowed: an address of the stack \(10.77.0.5, /,
    ],
    [
      { ...stack, url: "http://example.com" },
      /found example.com, allowed: an address of the stack/,
    ],
    [{ ...stack, url: "http://127.0.0.1.example.com" }, /allowed: an address of the stack/],
    [{ ...stack, url: "http://10.77.0.5@8.8.8.8" }, /allowed: an origin such as/],
    [{ ...stack, url: "ftp://10.77.0.5" }, /allowed: an origin such as/],
  ])("refuses %j", (outputs, message) => {
    expect(() => targetsOf(outputs)).toThrow(message);
  });
});

describe("k6's summary", () => {
  const summary = (changes: Record<string, unknown> = {}) =>
    JSON.stringify({
      metrics: {
        http_reqs: { values: { count: 1000, rate: 100 } },
        iterations: { values: { count: 1000 } },
        http_req_duration: { values: { med: 1, "p(95)": 2, "p(99)": 3, max: 4 } },
        checks: { values: { rate: 1 }, thresholds: { "rate==1": { ok: true } } },
        ...changes,
      },
    });

  test("a good run", () => {
    expect(readK6Summary(summary())).toEqual({
      requests: 1000,
      failed: 0,
      planned: 1000,
      notSent: 0,
      p50Ms: 1,
      p95Ms: 2,
      p99Ms: 3,
      maxMs: 4,
      problems: [],
    });
    expect(
      readK6Summary(summary({ dropped_iterations: { values: { count: 10 } } })).problems,
    ).toEqual([]);
  });

  test("each fault is a problem", () => {
    const problems = (changes: Record<string, unknown>) => readK6Summary(summary(changes)).problems;
    expect(problems({ failed_requests: { values: { count: 2 } } })).toEqual([
      "2 of 1000 requests of k6 failed",
    ]);
    expect(problems({ dropped_iterations: { values: { count: 11 } } })).toEqual([
      "k6 did not send 11 of 1011 planned requests, at most 1 % may be",
    ]);
    expect(
      problems({ checks: { values: { rate: 0.9 }, thresholds: { "rate==1": { ok: false } } } }),
    ).toEqual(["threshold of k6: checks must be rate==1"]);
    expect(problems({ http_reqs: { values: { count: 0 } } })).toEqual(["k6 sent no request"]);
    expect(() => readK6Summary("{}")).toThrow();
  });
});

test("the page escapes what servers said", () => {
  const at = 1000;
  const detail = "<script>alert(1)</script>";
  const client = new LoadReport({
    records: {
      at: new Float64Array([at]),
      latencyMs: new Float32Array([5]),
      kind: new Uint8Array([0]),
      code: new Uint8Array([1]),
    },
    samples: [{ at, kind: "http-new", path: "/", reason: "status", detail, latencyMs: 5 }],
    answers: {},
    reopened: 0,
    generator: { cpuSeconds: 0, cores: 0, lagMeanMs: 0, lagMaxMs: 0 },
    from: 0,
    to: 2000,
  });
  const page = renderPage({
    title: "Load steady on stack dev",
    passed: false,
    problems: ["1 of 1 requests failed"],
    k6: undefined,
    k6Report: undefined,
    client,
  });
  expect(page).toContain("<strong>failed</strong><br>1 of 1 requests failed");
  expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(page).not.toContain("<script>");
});

const hasK6 = spawnSync("k6", ["version"]).status === 0;

// The scripts need k6, which `make` brings; without it on PATH these tests are skipped.
describe.skipIf(!hasK6)("k6 scripts against planted faults", () => {
  const folder = mkdtempSync(join(tmpdir(), "k6-"));
  let server: Server;
  let received = 0;

  beforeEach(() => (received = 0));
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const hello: RequestListener = (request, response) => {
    received += 1;
    const url = new URL(request.url ?? "/", "http://localhost");
    const nonce = url.searchParams.get("nonce") ?? request.headers["x-nonce"];
    const known = ["/", "/ping", "/slow"].includes(url.pathname);
    response.statusCode = request.method !== "GET" ? 405 : known ? 200 : 404;
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Content-Type", "application/json");
    response.setHeader("X-Request-ID", String(request.headers["x-request-id"] ?? "made"));
    response.end(
      JSON.stringify(
        known ? { message: "pong", nonce, ms: 100 } : { error: "nothing is at this path" },
      ),
    );
  };

  async function serve(handler: RequestListener, others: object = {}): Promise<string> {
    server = createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const outputs = join(folder, "outputs.json");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(outputs, JSON.stringify({ url, ...others }));
    return outputs;
  }

  async function k6(script: string, outputs: string) {
    const summary = join(folder, "summary.json");
    const result = await execa(
      "k6",
      ["run", "--quiet", "-e", `STACK_OUTPUTS=${outputs}`, "-e", `SUMMARY=${summary}`].concat([
        "-e",
        "RATE=50",
        "-e",
        "DURATION=2",
        `loadtests/k6/${script}.ts`,
      ]),
      { reject: false, env: { K6_NO_USAGE_REPORT: "true" } },
    );
    return { exitCode: result.exitCode, result: readK6Summary(readFileSync(summary, "utf8")) };
  }

  test("smoke passes on a server that is right", async () => {
    const { exitCode, result } = await k6("smoke", await serve(hello));
    expect(result).toMatchObject({ failed: 0, problems: [] });
    expect(exitCode).toBe(0);
  });

  test("steady passes on a server that is right, with new and kept connections", async () => {
    const outputs = await serve(hello);
    let connections = 0;
    server.on("connection", () => (connections += 1));
    const { exitCode, result } = await k6("steady", outputs);
    expect(result.problems).toEqual([]);
    expect(exitCode).toBe(0);
    expect(result.requests).toBeGreaterThanOrEqual(95);
    expect(connections).toBeGreaterThan(result.requests * 0.2);
    expect(connections).toBeLessThan(result.requests * 0.8);
  });

  test("the stack's objectives are thresholds of steady", async () => {
    const slo = { http_req_duration: ["p(99)<=0.001"], http_req_failed: ["rate<=0.001"] };
    const { exitCode, result } = await k6("steady", await serve(hello, { slo }));
    expect(result.problems).toEqual(["threshold of k6: http_req_duration must be p(99)<=0.001"]);
    expect(exitCode).toBe(99);
  });

  test.each<[string, RequestListener]>([
    [
      "a status of 500 now and then",
      (request, response) => {
        if (received % 10 === 5) {
          received += 1;
          response.writeHead(500).end();
        } else hello(request, response);
      },
    ],
    ["a wrong nonce", (_request, response) => response.end('{"message":"pong","nonce":"old"}')],
    [
      "a reset in the middle of an answer",
      (request, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("{");
        setTimeout(() => request.socket.destroy(), 5);
      },
    ],
  ])("%s fails steady", async (_name, handler) => {
    const { exitCode, result } = await k6("steady", await serve(handler));
    expect(result.failed).toBeGreaterThan(0);
    expect(result.problems.length).toBeGreaterThan(0);
    expect(exitCode).toBe(99);
  });

  test("roll is ended by SIGINT, with a report and a verdict", async () => {
    const outputs = await serve(hello);
    const run = execa(
      process.execPath,
      [
        "--import",
        "tsx",
        "loadtests/run.ts",
        "SCENARIO=roll",
        "STACK=k6-test",
        "RATE=50",
        `OUTPUTS=${outputs}`,
      ],
      { reject: false, all: true },
    );
    while (received < 100) await new Promise((resolve) => setTimeout(resolve, 50));
    run.kill("SIGINT");
    const { exitCode, all } = await run;
    expect(all).toContain("stopping; the report follows");
    expect(all).toMatch(/^passed$/m);
    expect(exitCode).toBe(0);
    const page = /^report: (.*)$/m.exec(all)?.[1] ?? "";
    expect(readFileSync(page, "utf8")).toContain("Load roll on stack k6-test");
    rmSync(join(page, ".."), { recursive: true });
  });
});
