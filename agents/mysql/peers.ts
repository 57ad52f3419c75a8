import http from "node:http";
import https from "node:https";
import type { MysqlAgentView } from "../../model/views";
import type { AskedPeer } from "./health";
import { parseReport, type MemberReport } from "./state";

const intervalMs = 500;
const timeoutMs = 1000;
/** Milliseconds for which a peer's word counts. */
const freshMs = 2500;

interface Heard {
  readonly report: MemberReport;
  /** Monotonic milliseconds. */
  readonly askedAt: number;
}

/** Asks the other members' agents what they know, again and again. */
export class Peers {
  private readonly heard = new Map<string, Heard>();
  private readonly others: readonly { readonly node: string; readonly address: string }[];
  private readonly begin: (options: http.RequestOptions) => http.ClientRequest;

  /** `authority`: PEM, by which the others' certificates are verified. */
  constructor(
    private readonly config: MysqlAgentView,
    authority: string,
  ) {
    this.others = config.members.filter(({ node }) => node !== config.node);
    const kept = { keepAlive: true, maxSockets: 2 };
    if (config.tls === "off") {
      const agent = new http.Agent(kept);
      this.begin = (options) => http.get({ ...options, agent });
    } else {
      const agent = new https.Agent({ ...kept, ca: authority, minVersion: "TLSv1.2" });
      this.begin = (options) => https.get({ ...options, agent });
    }
  }

  start(): void {
    for (const { node, address } of this.others) {
      const again = async () => {
        await this.ask(node, address);
        setTimeout(() => void again(), intervalMs);
      };
      void again();
    }
  }

  /** Asks all of them now. */
  async askAll(): Promise<void> {
    await Promise.all(this.others.map(({ node, address }) => this.ask(node, address)));
  }

  /** Every other member, with what it said lately. */
  latest(): AskedPeer[] {
    const now = performance.now();
    return this.others.map(({ node, address }) => {
      const heard = this.heard.get(node);
      const fresh = heard && now - heard.askedAt <= freshMs ? heard : undefined;
      return { node, address, report: fresh?.report, askedAt: fresh?.askedAt ?? 0 };
    });
  }

  private async ask(node: string, address: string): Promise<void> {
    const askedAt = performance.now();
    try {
      const report = parseReport(JSON.parse(await this.get(address)));
      const known = this.heard.get(node);
      // Two questions may be under way: an answer must not be replaced by an older one.
      if (report.node === node && (!known || known.askedAt < askedAt)) {
        this.heard.set(node, { report, askedAt });
      }
    } catch {
      // Whoever does not answer falls silent by the age of its last word.
    }
  }

  private get(address: string): Promise<string> {
    return new Promise((resolve, reject) => {
      // Its certificate is verified for the address.
      const request = this.begin({ host: address, port: this.config.agentPort, path: "/state" });
      request.on("response", (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (body += part));
        response.on("end", () => resolve(body));
        response.on("error", reject);
      });
      // For the whole answer, however slowly it drips.
      const timer = setTimeout(() => request.destroy(new Error("timeout")), timeoutMs);
      request.on("close", () => clearTimeout(timer));
      request.on("error", reject);
    });
  }
}
