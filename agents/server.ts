import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { log } from "./io";

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export const line = (status: number, text: string): Page => ({
  status,
  type: "text/plain",
  body: `${text}\n`,
});

export const json = (status: number, body: object): Page => ({
  status,
  type: "application/json",
  body: `${JSON.stringify(body)}\n`,
});

export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

/**
 * Serves pages by path: `read` to whoever the firewall lets in, `commands` by POST to this machine
 * alone.
 */
export function serve(address: string, port: number, read: Pages, commands: Pages = {}): void {
  const listen = (host: string, local: boolean) => {
    const answer = async (request: IncomingMessage): Promise<Page> => {
      const path = request.url?.split("?")[0] ?? "/";
      const pages = request.method === "GET" ? read : local ? commands : {};
      const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
      return page
        ? page()
        : line(404, `found ${request.method} ${path}, allowed: ${Object.keys(pages).join(", ")}`);
    };
    const respond = (request: IncomingMessage, response: ServerResponse) => {
      answer(request).then(
        ({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body),
        (error: unknown) => {
          log("page failed", { path: request.url, error: String(error) });
          response.writeHead(500).end();
        },
      );
    };
    createServer(respond)
      .on("error", (error) => {
        log("cannot listen", { host, port, error: error.message });
        process.exit(1);
      })
      .listen(port, host);
  };
  listen("127.0.0.1", true);
  if (address !== "127.0.0.1") listen(address, false);
}
