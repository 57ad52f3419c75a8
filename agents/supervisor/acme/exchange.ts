import { readFileSync } from "node:fs";
import { createServer, get, type Server } from "node:https";
import { TLSSocket } from "node:tls";
import type { AcmeView } from "../../../model/views";

const path = "/certificate";
const timeoutMs = 3000;
const largestAnswer = 256 * 1024;

/** The node's own certificate and by what it knows its peer. */
function identity({ files: { tls } }: AcmeView) {
  return {
    cert: readFileSync(tls.certificate),
    key: readFileSync(tls.key),
    ca: readFileSync(tls.authority),
    minVersion: "TLSv1.3",
  } as const;
}

/**
 * Gives the peer the certificate with its private key; `kept` is its text. Any node of the stack has
 * a certificate of the same authority: only the one with the peer's name is answered.
 */
export function serveCertificate(
  address: string,
  view: AcmeView,
  kept: () => string | undefined,
  failed: (error: Error) => void,
): Server {
  const server = createServer(
    { ...identity(view), requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const { socket } = request;
      const caller =
        socket instanceof TLSSocket ? socket.getPeerCertificate().subject.CN : undefined;
      if (view.peer === null || caller !== view.peer.node) {
        response.writeHead(403).end();
        return;
      }
      const text = request.method === "GET" && request.url === path ? kept() : undefined;
      if (text === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "content-type": "application/json" }).end(text);
    },
  );
  server.on("error", failed);
  // Whoever is refused is no error of this node.
  server.on("tlsClientError", () => undefined);
  return server.listen(view.certificatePort, address);
}

/**
 * What the peer keeps, as text; undefined where it has nothing. Rejects where it does not answer, or
 * somebody else does.
 */
export function fetchCertificate(view: AcmeView): Promise<string | undefined> {
  const { peer } = view;
  if (peer === null) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const asked = get(
      {
        ...identity(view),
        host: peer.address,
        port: view.certificatePort,
        path,
        servername: peer.node,
        agent: false,
        timeout: timeoutMs,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
          if (text.length > largestAnswer) asked.destroy(new Error("the answer is too long"));
        });
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200) resolve(text);
          else if (response.statusCode === 404) resolve(undefined);
          else reject(new Error(`it answers with status ${response.statusCode}`));
        });
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    asked.on("error", reject);
  });
}
