import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createSecureContext, TLSSocket } from "node:tls";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { connectMysql } from "../../apps/property/database/connection";
import { halvedBody } from "../support/halvedBody";

// Real servers and processes: slow where the computer is busy.
vi.setConfig({ testTimeout: 20_000, hookTimeout: 20_000 });

const folder = mkdtempSync(join(tmpdir(), "property-"));
const running = new Set<ChildProcess>();
const servers: Server[] = [];

function certificate(name: string, ...subjectAltNames: string[]) {
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const names = ["-addext", `subjectAltName=${subjectAltNames.join(",")}`];
  const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`];
  execFileSync("openssl", ["req", "-x509", ...ec, ...files, ...names], {
    cwd: folder,
    stdio: "ignore",
  });
  const read = (suffix: string) => readFileSync(join(folder, `${name}.${suffix}`), "utf8");
  return { key: read("key"), cert: read("pem") };
}

beforeAll(async () => {
  await build({
    entryPoints: ["apps/property/main.ts"],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    outfile: join(folder, "property.js"),
    logLevel: "error",
  });
  cpSync("apps/property/migrations", join(folder, "migrations"), { recursive: true });
  for (const name of ["mysql-password", "redis-password", "ca.pem"]) {
    writeFileSync(join(folder, name), "secret");
  }
});

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the server's certificate", () => {
  /** As much of a MySQL server as it takes to be asked for TLS; counts what came after it. */
  async function startServer(keys: { key: string; cert: string }) {
    const state = { bytes: 0 };
    const context = createSecureContext(keys);
    const server = createServer((socket: Socket) => {
      socket.on("error", () => {});
      socket.write(greeting());
      socket.once("data", (data: Buffer) => {
        // The request for TLS has 36 bytes; the handshake may be right behind it.
        socket.pause();
        if (data.length > 36) socket.unshift(data.subarray(36));
        const secure = new TLSSocket(socket, { isServer: true, secureContext: context });
        secure.on("error", () => {});
        secure.on("data", (secret: Buffer) => {
          state.bytes += secret.length;
          socket.destroy();
        });
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { state, address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port } };
  }

  const account = { user: "app", password: "secret", database: "app" };
  const options = { connectMs: 3000, session: [] };

  test("bears the address that is connected to: the account is presented", async () => {
    const keys = certificate("right", "IP:127.0.0.1");
    const { state, address } = await startServer(keys);
    await expect(connectMysql(address, { ...account, ca: keys.cert }, options)).rejects.toThrow();
    expect(state.bytes).toBeGreaterThan(0);
  });

  test("bears other names only, localhost too: nothing is told to it", async () => {
    const keys = certificate("other", "DNS:localhost", "IP:127.0.0.2");
    const { state, address } = await startServer(keys);
    await expect(connectMysql(address, { ...account, ca: keys.cert }, options)).rejects.toThrow(
      "127.0.0.1 is not in the cert's list: 127.0.0.2",
    );
    expect(state.bytes).toBe(0);
  });

  test("is from another authority: nothing is told to it", async () => {
    const keys = certificate("right2", "IP:127.0.0.1");
    const { state, address } = await startServer(keys);
    const ca = certificate("stranger", "IP:127.0.0.1").cert;
    await expect(connectMysql(address, { ...account, ca }, options)).rejects.toThrow(/certificate/);
    expect(state.bytes).toBe(0);
  });

  /** MySQL's first packet: protocol 10, TLS offered, caching_sha2_password. */
  function greeting(): Buffer {
    const body = Buffer.concat([
      Buffer.from([10]),
      Buffer.from("9.7.0\0"),
      Buffer.from([1, 0, 0, 0]),
      Buffer.from("12345678\0"),
      Buffer.from([0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21]),
      Buffer.alloc(10),
      Buffer.from("123456789012\0caching_sha2_password\0"),
    ]);
    return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body]);
  }
});

interface LogLine {
  readonly message: string;
  readonly port?: number;
  readonly [key: string]: unknown;
}

function start(args: readonly string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(folder, "property.js"), ...args], {
    env: {
      HOST: "127.0.0.1",
      PORT: "0",
      NODE_NAME: "app-a",
      // Nothing listens there.
      MYSQL_PRIMARY: "127.0.0.1:1",
      MYSQL_REPLICAS: "127.0.0.1:1",
      REDIS_SENTINELS: "127.0.0.1:1",
      MYSQL_DATABASE: "app",
      SECRETS_DIR: folder,
      DRAIN_SECONDS: "0.5",
      ...env,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const log: LogLine[] = [];
  createInterface({ input: child.stdout }).on("line", (line) =>
    log.push(JSON.parse(line) as LogLine),
  );
  const exited = once(child, "close").then(([code]) => code as number | null);
  return { child, log, exited };
}

const portOf = (log: readonly LogLine[]) =>
  vi.waitUntil(() => log.find(({ message }) => message === "listening")?.port, 10_000);

describe("the bundled process", () => {
  test("without any database: alive, not ready, answers 503, drains on SIGTERM", async () => {
    const { child, log, exited } = start([], { READ_WAIT_SECONDS: "0.3", GREETING: "Good day" });
    const origin = `http://127.0.0.1:${await portOf(log)}`;
    const status = async (path: string) => (await fetch(origin + path)).status;
    expect(await status("/healthz")).toBe(200);
    expect(await status("/readyz")).toBe(503);
    expect(await (await fetch(`${origin}/?nonce=n1`)).json()).toEqual({
      message: "Good day",
      node: "app-a",
      nonce: "n1",
    });
    const list = await fetch(`${origin}/api/property`);
    expect([list.status, list.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await (await fetch(`${origin}/metrics`)).text()).toMatch(
      /property_database_connects_total\{pool="replicas",result="failed"\} \d/,
    );

    child.kill("SIGTERM");
    await vi.waitUntil(async () => (await status("/readyz")) === 404);
    const during = await fetch(`${origin}/ping`);
    expect([during.status, during.headers.get("connection")]).toEqual([200, "close"]);
    expect(await exited).toBe(0);
    expect(log.slice(-2)).toMatchObject([
      { message: "listener closed, finishing what is in flight" },
      { program: "property", node: "app-a", message: "stopped" },
    ]);
  });

  test("large and broken requests are refused, and the answer arrives", async () => {
    const { log } = start();
    const origin = `http://127.0.0.1:${await portOf(log)}`;
    const large = await fetch(`${origin}/api/property`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ description: "x".repeat(1_000_000) }),
    });
    expect([large.status, large.headers.get("content-type")]).toEqual([
      413,
      "application/problem+json; charset=utf-8",
    ]);
    const refused = { early: "", statuses: ["413", "200"] };
    expect(await halvedBody(await portOf(log), "/api/property", 200_000)).toEqual(refused);
    expect((await fetch(`${origin}/`, { headers: { x: "y".repeat(20_000) } })).status).toBe(431);
  });

  test("migrations without a primary end in time, with the reason as the last line", async () => {
    const { log, exited } = start(["migrate"], { MIGRATION_WAIT_SECONDS: "1" });
    expect(await exited).toBe(1);
    expect(log.at(-1)?.message).toMatch(
      /^migrate failed: no primary within 1 s: connect ECONNREFUSED 127.0.0.1:1/,
    );
  });

  test("a wrong environment ends it with one message", async () => {
    const { log, exited } = start([], { PORT: "no", FLAG_CACHE: "maybe" });
    expect(await exited).toBe(1);
    expect(log.map(({ message }) => message)).toEqual([
      'the environment of the property application is wrong:\n  PORT: found "no", allowed: a whole number, 0 to 65535\n  FLAG_CACHE: found "maybe", allowed: one of on, off',
    ]);
  });

  test("an unknown command ends it with its usage", async () => {
    const { log, exited } = start(["migrat"]);
    expect(await exited).toBe(2);
    expect(log).toEqual([]);
  });
});
