import { createServer as createSecureServer } from "node:https";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../../agents/monitoring/ask";
import { Authority } from "./support/certificates";

describe("a question to a page", () => {
  let authority: Authority;
  let server: Server;

  beforeAll(() => (authority = new Authority()));
  afterAll(() => authority.remove());
  afterEach(() => {
    server.close();
  });

  async function listening(started: Server): Promise<number> {
    server = started;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }

  const secureServer = () => {
    const { certificate, key } = authority.issue({ names: ["node"], addresses: ["127.0.0.1"] });
    return createSecureServer({ cert: certificate, key }, (_request, response) =>
      response.writeHead(418, { "content-type": "text/tea", connection: "close" }).end("short"),
    );
  };

  it("is answered with any status", async () => {
    const port = await listening(secureServer());
    expect(await ask(`https://127.0.0.1:${port}/`, authority.certificate, 5000)).toEqual({
      status: 418,
      type: "text/tea",
      body: "short",
    });
  });

  it("goes to nobody with a certificate of another authority, or for another name", async () => {
    const port = await listening(secureServer());
    const other = new Authority();
    other.remove();
    await expect(ask(`https://127.0.0.1:${port}/`, other.certificate, 5000)).rejects.toThrow(
      /certificate/,
    );
    await expect(ask(`https://localhost:${port}/`, authority.certificate, 5000)).rejects.toThrow(
      /does not match/,
    );
  });

  it("ends when its time is up, also in the middle of the answer", async () => {
    const slow = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const port = await listening(slow);
    await expect(ask(`http://127.0.0.1:${port}/`, "", 100)).rejects.toThrow();
  });
});
