import { readFileSync } from "node:fs";
import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { createServer } from "node:tls";
import type { Logger } from "pino";

/** With what an application speaks TLS, as its environment says. */
export interface TlsSettings {
  readonly port: number;
  /** Files in PEM. */
  readonly certificate: string;
  readonly key: string;
}

/**
 * Serves on a second port, over TLS, what `server` serves: it is handed the connections and knows
 * no difference. Rejects where the files cannot be read or the port is taken.
 */
export async function listenTls(
  server: HttpServer,
  { port, certificate, key }: TlsSettings,
  log: Logger,
): Promise<Server> {
  const secure = createServer({
    cert: readFileSync(certificate),
    key: readFileSync(key),
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: 10_000,
    // As servers of HTTP have it: an answer in several parts waits for nobody.
    noDelay: true,
  });
  secure.on("secureConnection", (socket) => server.emit("connection", socket));
  secure.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    log.debug({ code: error.code, client: socket.remoteAddress }, "no TLS with a client");
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    secure.once("error", reject);
    // Whoever may connect is said by the firewall; `HOST` is for what is spoken without TLS.
    secure.listen(port, "0.0.0.0", resolve);
  });
  return secure;
}

/** Port that a server listens on; differs from the settings where those say 0. */
export const listeningPort = (server: Server): number => (server.address() as AddressInfo).port;

/**
 * Listens no more, and gives what is in flight `patienceMs` before it is cut. `secure` is the port of
 * TLS, where there is one. Resolves to whether something had to be cut.
 */
export function closeAll(
  server: HttpServer,
  secure: Server | undefined,
  patienceMs: number,
  beforeCut: () => void = () => undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      beforeCut();
      resolve(true);
      server.closeAllConnections();
    }, patienceMs);
    const servers = secure ? [server, secure] : [server];
    let open = servers.length;
    for (const each of servers) {
      each.close(() => {
        open -= 1;
        if (open > 0) return;
        clearTimeout(timer);
        resolve(false);
      });
    }
    server.closeIdleConnections();
  });
}
