import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { halvedBody } from "../support/halvedBody";

// Real servers and processes: slow where the computer is busy.
vi.setConfig({ testTimeout: 20_000, hookTimeout: 20_000 });

interface LogLine {
  message: string;
  port?: number;
  [key: string]: unknown;
}

let folder: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hello-"));
  await build({
    entryPoints: ["apps/hello/main.ts"],
    bundle: true,
    platform: "node",
    target: "node20",
    outfile: join(folder, "hello.js"),
    logLevel: "error",
  });
});

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function start(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(folder, "hello.js")], {
    env: { HOST: "127.0.0.1", PORT: "0", NODE_NAME: "app-a", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const exited = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const log: LogLine[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const entry = JSON.parse(line) as LogLine;
      log.push(entry);
      if (entry.message === "listening" && entry.port) resolve(entry.port);
    });
    void exited.then(([code]) => reject(new Error(`exited with ${code}: ${JSON.stringify(log)}`)));
  });
  return { child, port, log, exited };
}

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

function send(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; agent?: Agent; body?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const outgoing = request(
      { host: "127.0.0.1", port, path, agent: false, ...rest },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => (received += chunk.toString()));
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}

test("the bundled process answers, counts and logs", async () => {
  const { port, log } = await start({ GREETING: "Good day" });

  const greeting = await send(port, "/", {
    headers: { "X-Nonce": "n1", "X-Request-ID": "req-1" },
  });
  expect(greeting.status).toBe(200);
  expect(JSON.parse(greeting.text)).toEqual({ message: "Good day", node: "app-a", nonce: "n1" });
  expect(greeting.headers).toMatchObject({
    "cache-control": "no-store",
    "content-type": "application/json",
    "x-request-id": "req-1",
  });

  const head = await send(port, "/ping", { method: "HEAD" });
  expect([head.status, head.text]).toEqual([200, ""]);
  expect((await send(port, "/healthz")).status).toBe(200);
  expect((await send(port, "/readyz")).status).toBe(200);
  expect((await send(port, "/missing")).status).toBe(404);
  const post = await send(port, "/", { method: "POST", body: "x" });
  expect([post.status, post.headers.allow]).toEqual([405, "GET, HEAD"]);

  const metrics = await send(port, "/metrics");
  expect(metrics.headers["content-type"]).toMatch(/^text\/plain/);
  expect(metrics.text).toContain('http_requests_total{method="GET",route="/",status="200"} 1\n');
  expect(metrics.text).toContain(
    'http_requests_total{method="GET",route="other",status="404"} 1\n',
  );
  expect(metrics.text).toMatch(/^http_request_duration_seconds_bucket\{le="0.25",.*\} \d+$/m);
  expect(metrics.text).toMatch(/^http_requests_in_flight 1$/m);

  const requestLine = () => log.find((line) => line.requestId === "req-1");
  await vi.waitUntil(requestLine, 5000);
  expect(requestLine()).toMatchObject({
    level: "info",
    node: "app-a",
    method: "GET",
    path: "/",
    status: 200,
    client: "127.0.0.1",
  });
  expect(log.filter((line) => line.path === "/healthz")).toEqual([]);
});

test("bodies, headers and nonsense are bounded", async () => {
  const { port } = await start();
  const large = await send(port, "/", { method: "POST", body: "x".repeat(70_000) });
  expect(large.status).toBe(413);
  const chunked = await send(port, "/", {
    method: "POST",
    headers: { "Transfer-Encoding": "chunked" },
    body: "x".repeat(70_000),
  });
  expect(chunked.status).toBe(413);
  const refused = { early: "", statuses: ["413", "200"] };
  expect(await halvedBody(port, "/", 200_000)).toEqual(refused);
  expect((await send(port, `/?${"x".repeat(3000)}`)).status).toBe(414);
  expect(await raw(port, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
  expect(await raw(port, `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431 /,
  );
  expect((await send(port, "/ping")).status).toBe(200);
});

test("SIGTERM: not ready at once, still serving, then closed, what is in flight is finished", async () => {
  const { child, port, log, exited } = await start({ DRAIN_SECONDS: "0.6" });
  const agent = new Agent({ keepAlive: true });
  const before = await send(port, "/ping", { agent });
  expect(before.headers.connection).toBe("keep-alive");
  const slow = send(port, "/slow?ms=1500");
  await sleep(100);

  const signalled = Date.now();
  child.kill("SIGTERM");
  await sleep(100);
  const ready = await send(port, "/readyz");
  expect([ready.status, JSON.parse(ready.text)]).toEqual([
    404,
    { status: "draining", node: "app-a" },
  ]);
  const during = await send(port, "/ping", { agent });
  expect([during.status, during.headers.connection]).toEqual([200, "close"]);
  child.kill("SIGTERM");

  await sleep(Math.max(0, signalled + 1000 - Date.now()));
  await expect(send(port, "/ping")).rejects.toThrow(/ECONNREFUSED/);
  const finished = await slow;
  expect([finished.status, finished.headers.connection]).toEqual([200, "close"]);
  expect(await exited).toEqual([0, null]);
  expect(Date.now() - signalled).toBeLessThan(5000);
  expect(log.at(-1)).toMatchObject({ message: "stopped" });
});

test("what does not finish in time is cut, and the exit is still clean", async () => {
  const { child, port, log, exited } = await start({ DRAIN_SECONDS: "0", FINISH_SECONDS: "0.3" });
  const slow = send(port, "/slow?ms=10000");
  const cut = expect(slow).rejects.toThrow(/socket hang up|ECONNRESET/);
  await sleep(100);
  child.kill("SIGTERM");
  await cut;
  expect(await exited).toEqual([0, null]);
  expect(log).toContainEqual(
    expect.objectContaining({
      message: "cut connections that did not finish in time",
      connections: 1,
    }),
  );
});

test("a wrong environment or a taken port ends it with a message", async () => {
  await expect(start({ PORT: "no" })).rejects.toThrow(
    /PORT: found .*no.*, allowed: a whole number/,
  );
  const { port } = await start();
  await expect(start({ PORT: String(port) })).rejects.toThrow(/cannot listen.*|EADDRINUSE/);
});
