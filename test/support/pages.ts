import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** An alert in a message of Alertmanager. */
export interface PagedAlert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
}

/** A message as it came. */
export interface Page {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly path: string;
  readonly status: "firing" | "resolved";
  readonly alerts: readonly PagedAlert[];
}

/** A webhook that keeps what Alertmanager sends to it. */
export class PageSink {
  readonly pages: Page[] = [];
  private readonly server: Server;
  private port = 0;

  constructor() {
    this.server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8");
      request.on("data", (part: string) => (text += part));
      request.on("end", () => {
        const { status, alerts } = JSON.parse(text) as Pick<Page, "status" | "alerts">;
        this.pages.push({ at: Date.now(), path: request.url ?? "/", status, alerts });
        response.writeHead(200).end();
      });
    });
  }

  /** Port on every address of this computer, once it listens; after `close` the same one again. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(this.port, resolve));
    this.port = (this.server.address() as AddressInfo).port;
    return this.port;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Names of the alerts that messages told of since a moment, each once. */
  alertsSince(since: number, status: PagedAlert["status"], severity?: string): readonly string[] {
    const names = this.since(since)
      .flatMap(({ alerts }) => alerts)
      .filter((alert) => alert.status === status)
      .filter(({ labels }) => severity === undefined || labels["severity"] === severity)
      .map(({ labels }) => labels["alertname"] ?? "");
    return [...new Set(names)].sort();
  }

  /** The first message since a moment in which that alert fires. */
  first(since: number, alert: string): Page | undefined {
    return this.since(since).find(({ alerts }) =>
      alerts.some(({ status, labels }) => status === "firing" && labels["alertname"] === alert),
    );
  }

  /** Messages since a moment. */
  since(moment: number): readonly Page[] {
    return this.pages.filter(({ at }) => at >= moment);
  }
}
