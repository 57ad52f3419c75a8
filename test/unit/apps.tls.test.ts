import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "node:tls";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Authority } from "./support/certificates";

// Real processes: slow where the computer is busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const folder = mkdtempSync(join(tmpdir(), "apps-tls-"));
const authority = new Authority();
const stranger = new Authority();
const running = new Set<ChildProcess>();

interface LogLine {
  readonly message: string;
  readonly port?: number;
  readonly tlsPort?: number;
}

beforeAll(async () => {
  await build({
    entryPoints: { hello: "apps/hello/main.ts", property: "apps/property/main.ts" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    outdir: folder,
    logLevel: "error",
  });
  cpSync("apps/property/migrations", join(folder, "migrations"), { recursive: true });
  const { certificate, key } = authority.issue({ names: ["app-a"] });
  const files = { "tls.pem": certificate, "tls.key": key, "ca.pem": authority.certificate };
  for (const [name, content] of Object.entries({ ...files, "mysql-password": "secret" })) {
    writeFileSync(join(folder, name), content);
  }
});

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  authority.remove();
  stranger.remove();
});

async function start(program: string, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(folder, `${program}.js`)], {
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      TLS_PORT: "0",
      TLS_CERTIFICATE: join(folder, "tls.pem"),
      TLS_KEY: join(folder, "tls.key"),
      NODE_NAME: "app-a",
      DRAIN_SECONDS: "0.8",
      // For the property application, which is alive without a database.
      MYSQL_PRIMARY: "127.0.0.1:1",
      MYSQL_REPLICAS: "127.0.0.1:1",
      MYSQL_DATABASE: "app",
      SECRETS_DIR: folder,
      ...env,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const exited = once(child, "close").then(([code]) => code as number | null);
  const log: LogLine[] = [];
  createInterface({ input: child.stdout }).on("line", (line) =>
    log.push(JSON.parse(line) as LogLine),
  );
  const listening = await Promise.race([
    vi.waitUntil(() => log.find(({ message }) => message === "listening"), 15_000),
    exited.then((code) => Promise.reject(new Error(`exited with ${code}: ${JSON.stringify(log)}`))),
  ]);
  return { child, exited, port: listening.port ?? 0, tlsPort: listening.tlsPort ?? 0 };
}

const trust = { ca: authority.certificate, servername: "app-a" };

/** Status and Connection header of an answer, over TLS where `secure` says how. */
function send(port: number, path: string, secure?: https.RequestOptions) {
  return new Promise<{ status: number; connection: string | undefined }>((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, ...secure };
    (secure ? https : http)
      .get(options, (response) => {
        response.resume();
        const { statusCode = 0, headers } = response;
        response.on("end", () => resolve({ status: statusCode, connection: headers.connection }));
      })
      .on("error", reject);
  });
}

/** What comes back on a plain connection. */
function plain(port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(port, "127.0.0.1", () =>
      socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    socket.on("data", (data) => (answer += data.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(answer));
  });
}

describe.each(["hello", "property"])("the %s application", (program) => {
  test("serves the same over TLS, to those who verify it", async () => {
    const { port, tlsPort } = await start(program);
    expect((await send(port, "/healthz")).status).toBe(200);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ["/healthz", "/ping", "/metrics"]) {
      expect((await send(tlsPort, path, { ...trust, agent })).status, path).toBe(200);
    }
    agent.destroy();
    const socket = connect({
      ...trust,
      host: "127.0.0.1",
      port: tlsPort,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    await once(socket, "secureConnect");
    expect(socket.alpnProtocol).toBe("http/1.1");
    socket.destroy();
  });

  test("refuses plain text and TLS 1.1, and clients refuse another name and authority", async () => {
    const { tlsPort } = await start(program);
    expect(await plain(tlsPort)).not.toContain("HTTP/1.1");
    const attempt = (options: https.RequestOptions) =>
      send(tlsPort, "/healthz", { agent: false, ...options });
    await expect(attempt({ ...trust, servername: "app-b" })).rejects.toThrow(/altnames/);
    await expect(attempt({ ...trust, ca: stranger.certificate })).rejects.toThrow(/certificate/);
    const old = {
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    } as const;
    await expect(attempt({ ...trust, ...old })).rejects.toThrow(/version|alert/i);
    expect((await attempt(trust)).status).toBe(200);
  });

  test("drains on both ports, and finishes what is in flight over TLS", async () => {
    const { child, exited, port, tlsPort } = await start(program);
    const agent = new https.Agent({ keepAlive: true });
    expect((await send(tlsPort, "/ping", { ...trust, agent })).connection).toBe("keep-alive");
    const slow = send(tlsPort, "/slow?ms=2500", trust);
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGTERM");
    await vi.waitUntil(async () => (await send(port, "/readyz")).status === 404, 5000);
    expect((await send(tlsPort, "/readyz", { ...trust, agent })).status).toBe(404);
    expect(await send(tlsPort, "/ping", { ...trust, agent })).toEqual({
      status: 200,
      connection: "close",
    });
    await vi.waitUntil(
      () =>
        send(tlsPort, "/ping", trust).then(
          () => false,
          () => true,
        ),
      5000,
    );
    expect((await slow).status).toBe(200);
    expect(await exited).toBe(0);
  });

  test("does not start without its certificate", async () => {
    await expect(start(program, { TLS_CERTIFICATE: join(folder, "none.pem") })).rejects.toThrow(
      /exited with 1: .*none\.pem/,
    );
  });
});
