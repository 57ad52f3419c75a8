import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startLoad, type Load, type LoadReport, type StartOptions } from "../../loadtests/client";
import { Generator } from "../../loadtests/client/generator";
import { planLoad, type LoadOptions, type RateKind } from "../../loadtests/client/options";
import { LoadReport as Report } from "../../loadtests/client/report";

// Real servers and processes: slow where the computer is busy.
vi.setConfig({ testTimeout: 20_000, hookTimeout: 20_000 });

interface Keys {
  ca: string;
  otherCa: string;
  cert: string;
  key: string;
}

const folder = mkdtempSync(join(tmpdir(), "load-"));
let keys: Keys;
const closers: (() => Promise<void>)[] = [];
const loads: Load[] = [];

beforeAll(() => {
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  for (const name of ["ca", "other"]) {
    openssl(
      "req",
      "-x509",
      ...ec,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
    );
  }
  openssl(
    "req",
    ...ec,
    "-keyout",
    "leaf.key",
    "-out",
    "leaf.csr",
    "-subj",
    "/CN=leaf",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
  );
  openssl(
    "x509",
    "-req",
    "-in",
    "leaf.csr",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "2",
    "-copy_extensions",
    "copy",
    "-out",
    "leaf.pem",
  );
  const file = (name: string) => readFileSync(join(folder, name), "utf8");
  keys = {
    ca: file("ca.pem"),
    otherCa: file("other.pem"),
    cert: file("leaf.pem"),
    key: file("leaf.key"),
  };
});

// After all and not each: the tests of the transports run side by side.
afterAll(async () => {
  await Promise.all(loads.map((load) => load.kill()));
  await Promise.all(closers.map((close) => close()));
  rmSync(folder, { recursive: true, force: true });
});

async function listen(server: Server | Http2SecureServer | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Answers as the hello application does. */
const hello: RequestListener = (request, response) => {
  const { "x-nonce": nonce } = request.headers;
  response.end(JSON.stringify({ message: "pong", node: "app-a", nonce }));
};

async function http(handler: RequestListener) {
  const server = createServer({ keepAliveTimeout: 60_000 }, handler);
  const port = await listen(server);
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { server, origin: `http://127.0.0.1:${port}` };
}

/** HTTP/2 and HTTP/1.1 over TLS. */
async function https(handler: RequestListener) {
  const server = createSecureServer(
    { allowHTTP1: true, key: keys.key, cert: keys.cert },
    handler as never,
  );
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("secureConnection", (socket: { destroy(): void }) => sockets.add(socket));
  server.on("sessionError", () => {});
  const port = await listen(server);
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }),
  );
  return { server, sessions, sockets, origin: `https://127.0.0.1:${port}` };
}

const ping = [{ path: "/ping", contains: "pong", tally: '"node":"([^"]*)"' }];

/** Loads from this process for `ms`: 50 requests a second unless told. */
async function run(
  options: LoadOptions,
  ms = 400,
  during?: () => Promise<void>,
): Promise<LoadReport> {
  const generator = new Generator(
    planLoad({ rate: 50, keptConnections: 5, idle: false, paths: ping, ca: keys.ca, ...options }),
  );
  await sleep(ms);
  await during?.();
  await generator.stop();
  return new Report(generator.report());
}

const only = (kind: RateKind) => ({ [kind]: 1 });
const reasonsOf = (report: LoadReport) => report.failures.map(({ reason }) => reason);

const transports: [RateKind, (handler: RequestListener) => Promise<LoadOptions>][] = [
  ...(["http-new", "http-kept"] as const).map(
    (kind): [RateKind, (handler: RequestListener) => Promise<LoadOptions>] => [
      kind,
      async (handler) => ({ mix: only(kind), targets: { http: (await http(handler)).origin } }),
    ],
  ),
  ...(["https-new", "https-kept", "h2"] as const).map(
    (kind): [RateKind, (handler: RequestListener) => Promise<LoadOptions>] => [
      kind,
      async (handler) => ({ mix: only(kind), targets: { https: (await https(handler)).origin } }),
    ],
  ),
];

describe.concurrent.each(transports)("%s", (kind, serve) => {
  test("a healthy server: everything planned is sent once and is ok", async () => {
    let received = 0;
    const report = await run(
      await serve((request, response) => {
        received += 1;
        hello(request, response);
      }),
    );
    expect(report.planned).toBeGreaterThan(15);
    expect(report).toMatchObject({ ok: report.planned, failed: 0, sentShare: 1 });
    expect(received).toBe(report.planned);
    expect(report.latency[kind]?.count).toBe(report.planned);
    expect(report.answers["app-a"]?.count).toBe(report.planned);
    expect(report.verdict().passed, report.describe()).toBe(true);
  });

  test("a status of 500 now and then is caught, each time, and nothing is sent twice", async () => {
    let received = 0;
    const report = await run(
      await serve((request, response) => {
        received += 1;
        if (received % 5 === 0) response.statusCode = 500;
        hello(request, response);
      }),
    );
    expect(reasonsOf(report)).toEqual(["status"]);
    expect(report.failed).toBe(Math.floor(received / 5));
    expect(received).toBe(report.sent);
    expect(report.failures[0]?.samples[0]).toMatchObject({ kind, path: "/ping" });
    expect(report.verdict().passed).toBe(false);
  });

  test("an answer with a wrong nonce is caught", async () => {
    const report = await run(
      await serve((_request, response) => {
        response.end('{"message":"pong","nonce":"other"}');
      }),
    );
    expect(reasonsOf(report)).toEqual(["nonce"]);
    expect(report.ok).toBe(0);
  });

  test("an old answer out of a cache is caught", async () => {
    const cache = new Map<string, string>();
    const report = await run(
      await serve((request, response) => {
        const fresh = JSON.stringify({ message: "pong", nonce: request.headers["x-nonce"] });
        const stored = cache.get(request.url ?? "") ?? fresh;
        cache.set(request.url ?? "", stored);
        response.end(stored);
      }),
    );
    expect(report.ok).toBe(1);
    expect(reasonsOf(report)).toEqual(["nonce"]);
  });

  test("a wrong body is caught", async () => {
    const report = await run(
      await serve((request, response) => {
        response.end(`it works! ${String(request.headers["x-nonce"])}`);
      }),
    );
    expect(reasonsOf(report)).toEqual(["body"]);
  });

  test("an answer that never comes is caught after the timeout", async () => {
    let received = 0;
    const report = await run(
      {
        timeoutMs: 1000,
        ...(await serve((request, response) => {
          received += 1;
          if (received !== 5) hello(request, response);
        })),
      },
      500,
    );
    expect(report.failures).toMatchObject([{ reason: "timeout", count: 1 }]);
    expect(report.longestMs).toBeGreaterThanOrEqual(999);
    expect(report.longestMs).toBeLessThan(3000);
    expect(report.ok).toBe(report.planned - 1);
  });

  test("a connection cut in the middle of an answer is caught and not repeated", async () => {
    let received = 0;
    const report = await run(
      await serve((request, response) => {
        received += 1;
        if (received % 10 !== 0) return hello(request, response);
        response.writeHead(200, { "content-length": "100" });
        response.write('{"message":"pong"');
        setTimeout(() => {
          const socket = kind === "h2" ? undefined : request.socket;
          if (socket) socket.destroy();
          else
            (
              response as unknown as { stream: { session: ServerHttp2Session } }
            ).stream.session.destroy();
        }, 5);
      }),
    );
    const caught = report.failures.reduce((sum, { count }) => sum + count, 0);
    expect(caught).toBeGreaterThanOrEqual(Math.floor(received / 10));
    expect(reasonsOf(report).every((reason) => reason === "closed" || reason === "reset")).toBe(
      true,
    );
    expect(received).toBeLessThanOrEqual(report.sent);
  });

  test("a refused connection is caught", async () => {
    const { server, origin } = await http(hello);
    await new Promise((resolve) => server.close(resolve));
    const https = origin.replace("http:", "https:");
    const report = await run({ mix: only(kind), targets: { http: origin, https } }, 200);
    expect(reasonsOf(report)).toEqual(["refused"]);
    expect(report.ok).toBe(0);
  });
});

describe("connections", () => {
  test("a reset of the connection is told from a proper close", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", () => socket.resetAndDestroy());
    });
    const port = await listen(server);
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const report = await run({
      mix: only("http-kept"),
      targets: { http: `http://127.0.0.1:${port}` },
    });
    expect(reasonsOf(report)).toEqual(["reset"]);
    expect(report.failures[0]?.samples[0]?.detail).toContain("ECONNRESET");
  });

  test("what is not HTTP is caught", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("220 mail.example.com ESMTP\r\n\r\n"));
    });
    const port = await listen(server);
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const report = await run({
      mix: only("http-new"),
      targets: { http: `http://127.0.0.1:${port}` },
    });
    expect(reasonsOf(report)).toEqual(["protocol"]);
  });

  test.each(["https-new", "https-kept", "h2"] as const)(
    "%s: a certificate of another authority is refused",
    async (kind) => {
      const { origin } = await https(hello);
      const report = await run(
        { mix: only(kind), targets: { https: origin }, ca: keys.otherCa },
        200,
      );
      expect(reasonsOf(report)).toEqual(["tls"]);
      expect(report.ok).toBe(0);
    },
  );

  test("a certificate for another address is refused", async () => {
    const { origin } = await https(hello);
    const elsewhere = origin.replace("127.0.0.1", "127.0.0.2");
    const server = createTcpServer((socket) => {
      const port = Number(new URL(origin).port);
      import("node:net").then(
        ({ connect }) => {
          const onward = connect(port, "127.0.0.1");
          onward.on("error", () => socket.destroy());
          socket.on("error", () => onward.destroy());
          socket.pipe(onward).pipe(socket);
        },
        () => socket.destroy(),
      );
    });
    await new Promise<void>((resolve) =>
      server.listen(Number(new URL(elsewhere).port), "127.0.0.2", resolve),
    );
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const report = await run({ mix: only("https-new"), targets: { https: elsewhere } }, 200);
    expect(reasonsOf(report)).toEqual(["tls"]);
  });

  test("kept-alive connections are kept, in turn, up to their number", async () => {
    const { server, origin } = await http(hello);
    let connections = 0;
    server.on("connection", () => (connections += 1));
    const report = await run({
      mix: only("http-kept"),
      targets: { http: origin },
      keptConnections: 7,
    });
    expect(connections).toBe(7);
    expect(report.ok).toBe(report.planned);
  });

  test("new connections are new each time", async () => {
    const { server, origin } = await http(hello);
    let connections = 0;
    server.on("connection", () => (connections += 1));
    const report = await run({ mix: only("http-new"), targets: { http: origin } });
    expect(connections).toBe(report.sent);
  });

  test("kept-alive connections that the server closes after an answer are no failures", async () => {
    const { origin } = await http((request, response) => {
      response.setHeader("connection", "close");
      hello(request, response);
    });
    const report = await run({ mix: only("http-kept"), targets: { http: origin } });
    expect(report.failed, report.describe()).toBe(0);
  });

  test("HTTP/2: a server that says goodbye and finishes what it holds is no failure", async () => {
    let received = 0;
    const { origin, sessions } = await https((request, response) => {
      received += 1;
      if (received % 4 === 0) {
        const { stream } = response as unknown as { stream: { session: ServerHttp2Session } };
        stream.session.goaway(0, 2 ** 31 - 1);
      }
      setTimeout(() => hello(request, response), 10);
    });
    // One request at a time: Node's server drops what reaches it after its goodbye.
    const one = { rate: 20, http2Connections: 1 };
    const report = await run({ mix: only("h2"), targets: { https: origin }, ...one }, 1000);
    expect(report.failed, report.describe()).toBe(0);
    expect(sessions.size).toBe(Math.floor((received - 1) / 4) + 1);
  });

  test("HTTP/2: requests that a goodbye leaves out are caught", async () => {
    let received = 0;
    const { origin } = await https((request, response) => {
      received += 1;
      const { stream } = response as unknown as { stream: { session: ServerHttp2Session } };
      // Says that it took only the first stream, when it holds three.
      if (received === 3) stream.session.goaway(0, 1);
      else if (received !== 2) setTimeout(() => hello(request, response), 100);
    });
    const few = { rate: 100, http2Connections: 1 };
    const report = await run({ mix: only("h2"), targets: { https: origin }, ...few }, 300);
    const left = report.failures.filter(({ reason }) => reason === "reset");
    expect(left[0]?.count).toBeGreaterThanOrEqual(2);
    expect(left[0]?.samples[0]?.detail).toContain(
      "not taken by the server any more (GOAWAY, code 0)",
    );
  });

  test("HTTP/2: no more requests at once than the server allows on a connection", async () => {
    let most = 0;
    const server = createSecureServer({
      key: keys.key,
      cert: keys.cert,
      settings: { maxConcurrentStreams: 2 },
    });
    server.on("session", (session) => {
      let streams = 0;
      session.on("stream", (stream, headers) => {
        streams += 1;
        most = Math.max(most, streams);
        stream.on("close", () => (streams -= 1));
        setTimeout(() => {
          stream.respond({ ":status": 200 });
          stream.end(`pong ${String(headers["x-nonce"])}`);
        }, 60);
      });
    });
    const port = await listen(server);
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const targets = { https: `https://127.0.0.1:${port}` };
    const report = await run({ mix: only("h2"), targets, rate: 50, http2Connections: 1 }, 600);
    expect(report.failures.filter(({ reason }) => reason !== "reset")).toEqual([]);
    expect(most).toBe(2);
    expect(report.ok).toBeGreaterThan(5);
  });

  test("HTTP/2: a large answer in many frames is whole", async () => {
    const { origin } = await https((request, response) => {
      response.end(`${"x".repeat(300_000)} pong ${String(request.headers["x-nonce"])}`);
    });
    const paths = [{ path: "/ping", matches: "^x{300000} pong " }];
    const report = await run({ mix: only("h2"), targets: { https: origin }, paths, rate: 30 });
    expect(report.failed, report.describe()).toBe(0);
  });

  test("HTTP/2: a server that speaks only HTTP/1.1 is caught", async () => {
    const server = createTlsServer({ key: keys.key, cert: keys.cert, ALPNProtocols: ["http/1.1"] });
    const port = await listen(server);
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const targets = { https: `https://127.0.0.1:${port}` };
    const report = await run({ mix: only("h2"), targets }, 200);
    expect(report.ok).toBe(0);
    expect(report.failed).toBe(report.planned);
  });

  test("HTTP/2: a stream that is reset is caught", async () => {
    const { origin } = await https((_request, response) => {
      const { stream } = response as unknown as { stream: { close(code: number): void } };
      stream.close(7);
    });
    const report = await run({ mix: only("h2"), targets: { https: origin } });
    expect(reasonsOf(report)).toEqual(["reset"]);
    expect(report.failures[0]?.samples[0]?.detail).toContain("refused by the server");
  });
});

describe("idle connections", () => {
  const idle = { connections: 6, minMs: 300, maxMs: 500 };

  test("closed by the server while idle: opened again, no failure", async () => {
    const plain = await http(hello);
    const secure = await https(hello);
    const targets = { http: plain.origin, https: secure.origin };
    const report = await run({ targets, rate: 0, idle }, 1200, async () => {
      plain.server.closeIdleConnections();
      for (const session of secure.sessions) session.close();
      for (const socket of secure.sockets) socket.destroy();
      await sleep(700);
    });
    expect(report.failed, report.describe()).toBe(0);
    expect(report.reopened).toBeGreaterThanOrEqual(6);
    expect(Object.keys(report.latency).sort()).toEqual([
      "all",
      "h2-idle",
      "http-idle",
      "https-idle",
    ]);
  });

  test("a request written to a kept connection and then reset counts", async () => {
    let answered = 0;
    const { origin } = await http((request, response) => {
      answered += 1;
      if (answered <= 6) hello(request, response);
      else request.socket.resetAndDestroy();
    });
    const report = await run({ targets: { http: origin }, rate: 0, idle }, 1700);
    expect(report.ok).toBe(6);
    expect(reasonsOf(report)).toEqual(["reset"]);
    expect(report.failures[0]?.samples[0]?.detail).toMatch(/request \d+ of its connection/);
    expect(answered).toBe(report.sent);
  });

  test("they idle at random within the bounds, the same with the same seed", async () => {
    const seen = new Map<number, number[]>();
    const { origin } = await http((request, response) => {
      const port = request.socket.remotePort ?? 0;
      seen.set(port, [...(seen.get(port) ?? []), Date.now()]);
      hello(request, response);
    });
    await run({ targets: { http: origin }, rate: 0, idle }, 2500);
    const gaps = [...seen.values()].flatMap((at) =>
      at.slice(1).map((time, i) => time - (at[i] ?? 0)),
    );
    expect(gaps.length).toBeGreaterThan(12);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(295);
    expect(Math.max(...gaps)).toBeLessThan(1000);
  });
});

describe("requests that are not sent", () => {
  test("more in flight than allowed: dropped and counted", async () => {
    const { origin } = await http((request, response) => {
      setTimeout(() => hello(request, response), 300);
    });
    const report = await run(
      { mix: only("http-new"), targets: { http: origin }, rate: 100, maxInFlight: 5 },
      600,
    );
    expect(report.failures).toMatchObject([{ reason: "not-sent" }]);
    expect(report.notSent).toBeGreaterThan(20);
    expect(report.sent + report.notSent).toBe(report.planned);
    expect(report.planned).toBeGreaterThan(50);
    expect(report.verdict().problems[0]).toMatch(/^only .* of \d+ planned requests were sent/);
  });

  test("a client that stalls does not hide it", async () => {
    const { origin } = await http(hello);
    const report = await run(
      { mix: only("http-new"), targets: { http: origin }, rate: 100 },
      200,
      async () => {
        const until = Date.now() + 1500;
        while (Date.now() < until);
        await sleep(100);
      },
    );
    expect(report.planned).toBeGreaterThanOrEqual(170);
    expect(report.notSent).toBeGreaterThanOrEqual(40);
    expect(report.generator.lagMaxMs).toBeGreaterThan(1000);
    expect(report.verdict().passed).toBe(false);
  });
});

describe("in a process of its own", () => {
  async function start(options: StartOptions): Promise<Load> {
    const load = await startLoad({ rate: 100, idle: false, paths: ping, ...options });
    loads.push(load);
    return load;
  }

  test("runs, tells its progress, reports in between and at the end", async () => {
    const { origin } = await http(hello);
    const seen: number[] = [];
    const load = await start({ targets: { http: origin }, onProgress: ({ ok }) => seen.push(ok) });
    const begun = Date.now();
    await sleep(1300);
    const between = await load.report();
    expect(between.planned).toBeGreaterThan(80);
    expect(load.progress?.ok).toBe(seen.at(-1));
    const [report, again] = await Promise.all([load.stop(), load.stop()]);
    expect(again).toBe(report);
    expect(report.planned).toBeGreaterThan(between.planned - 1);
    expect(report.failed, report.describe()).toBe(0);
    expect(report.window(begun, begun + 1000).planned).toBeGreaterThan(80);
    expect(report.from).toBeGreaterThan(begun - 2000);
    expect(report.generator.cores).toBeGreaterThan(0);
    expect(await load.report()).toBe(report);
    await load.kill();
  });

  test("a report in between waits for what is under way, so that no hang is missed", async () => {
    let received = 0;
    const { origin } = await http((request, response) => {
      received += 1;
      if (received === 20) setTimeout(() => hello(request, response), 600);
      else hello(request, response);
    });
    const load = await start({ targets: { http: origin } });
    while (received < 20) await sleep(5);
    const report = await load.report();
    expect(report.longestMs).toBeGreaterThanOrEqual(590);
  });

  test("ends by itself after its longest time", async () => {
    const { origin } = await http(hello);
    const load = await start({ targets: { http: origin }, maxDurationMs: 500 });
    const report = await load.ended;
    expect(report.planned).toBe(50);
    expect(report.failed).toBe(0);
    expect((await load.stop()).planned).toBe(50);
  });

  test("wrong options are refused before anything is sent", async () => {
    await expect(start({ targets: { http: "http://10.77.0.5" } })).rejects.toThrow(
      /targets.http: found 10.77.0.5, allowed: an IPv4 address in 127.0.0.0\/8/,
    );
  });

  test("a process that dies is told, not waited for", async () => {
    const { origin } = await http(hello);
    const load = await start({ targets: { http: origin } });
    await load.kill();
    await expect(load.stop()).rejects.toThrow(/the load's process ended with SIGKILL/);
    await expect(load.report()).rejects.toThrow(/SIGKILL/);
  });
});
