import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Server } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { json, listen, type Pages } from "../../agents/server";
import type { TlsStage } from "../../model/tls";
import { Authority } from "./support/certificates";

// Real sockets: slow where the computer is busy.
vi.setConfig({ testTimeout: 30_000 });

const address = "127.0.0.2";
const authority = new Authority();
const stranger = new Authority();
const issued = authority.issue({ names: ["mysql-a"], addresses: [address, "127.0.0.1"] });
const open = new Set<Server>();

afterEach(() => {
  for (const server of open) server.close();
  open.clear();
});

afterAll(() => {
  authority.remove();
  stranger.remove();
});

const read: Pages = {
  "/status": () => json(200, { ready: true }),
  "/broken": () => Promise.reject(new Error("broken")),
};
const commands: Pages = { "/force": () => json(202, { forced: true }) };

/** Ports of an agent at that stage: on loopback, and on its machine's address. */
async function start(tls: TlsStage, at = address) {
  const identity = () => ({ cert: issued.certificate, key: issued.key });
  const servers = listen({ address: at, port: 0, tls }, identity, read, commands);
  for (const server of servers) open.add(server);
  await Promise.all(servers.map((server) => once(server, "listening")));
  const [own = 0, others = 0] = servers.map((server) => (server.address() as AddressInfo).port);
  return { own, others, servers };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(options: https.RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (options.ca === undefined ? http : https).request(
      { host: address, path: "/status", agent: false, ...options },
      (response) => {
        let body = "";
        response.on("data", (part) => (body += String(part)));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on("error", reject).end();
  });
}

const good = { status: 200, body: '{"ready":true}\n' };
const trust = { ca: authority.certificate };

/** What comes back for these bytes until the server closes, and after how many milliseconds. */
function sent(port: number, bytes: string, drip?: string) {
  return new Promise<{ readonly answer: string; readonly ms: number }>((resolve) => {
    const begun = performance.now();
    let answer = "";
    const socket = net.connect(port, address, () => socket.write(bytes, "latin1"));
    const timer = drip === undefined ? undefined : setInterval(() => socket.write(drip), 500);
    socket.on("data", (data) => (answer += data.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(timer);
      resolve({ answer, ms: performance.now() - begun });
    });
  });
}

const request = "GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

describe.each<TlsStage>(["off", "prefer"])("an agent at stage %s", (stage) => {
  it("answers either way on one port", async () => {
    const { others } = await start(stage);
    expect(await ask({ port: others })).toEqual(good);
    expect(await ask({ port: others, ...trust })).toEqual(good);
    expect((await sent(others, request)).answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("keeps connections of either kind for more questions", async () => {
    const { others } = await start(stage);
    const kinds = [
      { agent: new http.Agent({ keepAlive: true, maxSockets: 1 }) },
      { agent: new https.Agent({ keepAlive: true, maxSockets: 1 }), ...trust },
    ];
    for (const kind of kinds) {
      for (let n = 0; n < 3; n++) expect(await ask({ port: others, ...kind })).toEqual(good);
      expect(Object.values(kind.agent.freeSockets).flat()).toHaveLength(1);
      kind.agent.destroy();
    }
  });
});

describe.each<TlsStage>(["off", "prefer", "require"])("an agent at stage %s", (stage) => {
  it("is met over TLS 1.2 and newer, with its own name and address", async () => {
    const { others } = await start(stage);
    const attempt = (options: ConnectionOptions) => ask({ port: others, ...trust, ...options });
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      expect(await attempt({ minVersion: version, maxVersion: version })).toEqual(good);
    }
    expect(await attempt({ servername: "mysql-a" })).toEqual(good);
    await expect(attempt({ servername: "mysql-b" })).rejects.toThrow(/altnames/);
    await expect(attempt({ ca: stranger.certificate })).rejects.toThrow(/certificate/);
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
    await expect(attempt(old as ConnectionOptions)).rejects.toThrow(/version|alert/i);
    expect(await attempt({})).toEqual(good);
  });

  it("is not met as an address that its certificate is not for", async () => {
    const identity = authority.issue({ names: ["mysql-a"], addresses: ["127.0.0.3"] });
    const other = listen(
      { address, port: 0, tls: stage },
      () => ({ cert: identity.certificate, key: identity.key }),
      read,
    );
    for (const server of other) open.add(server);
    await Promise.all(other.map((server) => once(server, "listening")));
    const port = (other[1]?.address() as AddressInfo).port;
    await expect(ask({ port, ...trust })).rejects.toThrow(/altnames/);
  });

  it("speaks without TLS on loopback, and takes commands there alone", async () => {
    const { own, others } = await start(stage);
    expect(await ask({ host: "127.0.0.1", port: own })).toEqual(good);
    const force = { method: "POST", path: "/force" };
    expect((await ask({ host: "127.0.0.1", port: own, ...force })).status).toBe(202);
    expect((await ask({ port: others, ...force, ...trust })).status).toBe(404);
  });

  it("outlives whoever says nothing, too slowly, nonsense, or breaks off", async () => {
    const told = vi.spyOn(process.stdout, "write");
    const { others } = await start(stage);
    const broken = net.connect(others, address, () => {
      broken.write("\x16\x03\x01");
      broken.resetAndDestroy();
    });
    broken.on("error", () => undefined);
    const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    const slow = await Promise.all([
      sent(others, ""),
      sent(others, hello),
      sent(others, hello, "\0"),
      sent(others, "GET /status HTTP/1.1\r\nX-A: ", "a"),
    ]);
    for (const { answer, ms } of slow) {
      expect(answer).not.toContain("200 OK");
      expect(ms).toBeLessThan(15_000);
    }
    const { answer } = await sent(others, "\x16nonsense\r\n\r\n");
    expect(answer).not.toContain("HTTP");
    expect(await ask({ port: others, ...trust })).toEqual(good);
    expect(told).not.toHaveBeenCalled();
  });
});

describe("an agent at stage require", () => {
  it("closes a connection without TLS without a word", async () => {
    const { others } = await start("require");
    expect((await sent(others, request)).answer).toBe("");
    await expect(ask({ port: others })).rejects.toThrow(/hang up|reset/);
  });
});

describe("an agent", () => {
  it("whose machine's address is loopback listens once, without TLS", async () => {
    const { servers, own } = await start("require", "127.0.0.1");
    expect(servers).toHaveLength(1);
    const at = { host: "127.0.0.1", port: own };
    expect(await ask(at)).toEqual(good);
    expect((await ask({ ...at, method: "POST", path: "/force" })).status).toBe(202);
  });

  it("says which pages there are, and survives one that fails", async () => {
    const { others } = await start("require");
    expect(await ask({ port: others, ...trust, path: "/none" })).toEqual({
      status: 404,
      body: "found GET /none, allowed: /status, /broken\n",
    });
    expect((await ask({ port: others, ...trust, path: "/broken" })).status).toBe(500);
    expect(await ask({ port: others, ...trust })).toEqual(good);
  });
});
