import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { MonitoringAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import {
  json,
  line,
  nodeIdentity,
  serverForOthers,
  type At,
  type Identity,
  type Page,
} from "../server";
import { ask } from "./ask";
import { merge, seenOf, weightQuery, type Answer, type Weighed } from "./merge";

/** How long a Prometheus may think about a query. */
const patienceMs = 30_000;
/** The same where it did not answer the last time: a dead one must not hold up every query. */
const silentPatienceMs = 1_000;
/** How much longer than the first the others may take: a frozen one must not hold up the first query. */
const usualGraceMs = 3_000;
const longestBody = 1024 * 1024;

/** Answered out of what all have recorded. */
const mergedPaths = /^\/api\/v1\/query(_range)?$/;
/** Answered by the first that answers: names and the like, which all know. */
const passedPaths =
  /^\/api\/v1\/(series|labels|label\/[^/]+\/values|metadata|rules|alerts|status\/buildinfo)$/;

/** What one Prometheus says; undefined where it does not answer. */
type Reply = Page | undefined;

/**
 * Answers Prometheus' queries out of what every Prometheus of the stack has recorded, so that a
 * hole in one is filled by another.
 */
export class Reader {
  private readonly silent = new Set<string>();

  /**
   * `monitors`: address of each Prometheus, the nearest first. `authority`: of the certificates that
   * they show where they are asked over TLS.
   */
  constructor(
    private readonly monitors: readonly string[],
    private readonly authority: string,
    private readonly graceMs = usualGraceMs,
  ) {}

  listen({ address, port, tls }: At, identity: Identity): void {
    const respond = (request: IncomingMessage, response: ServerResponse) =>
      void this.respond(request, response);
    serverForOthers(tls, identity, respond)
      .on("error", (error) => {
        log("cannot listen", { address, port, error: error.message });
        process.exit(1);
      })
      .listen(port, address);
  }

  /** The answer to a request. `path` is without its query, which is in `params`. */
  async answer(path: string, params: URLSearchParams): Promise<Page> {
    if (path === "/-/ready") return line(200, "ready");
    if (mergedPaths.test(path)) return this.merged(path, params);
    if (passedPaths.test(path)) return this.passed(path, params);
    return line(404, `found ${path}, allowed: Prometheus' queries below /api/v1`);
  }

  private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? "/", "http://reader");
      const form = request.method === "POST" ? await bodyOf(request) : "";
      const params = new URLSearchParams([...url.searchParams, ...new URLSearchParams(form)]);
      const { status, type, body } = await this.answer(url.pathname, params);
      response.writeHead(status, { "content-type": type }).end(body);
    } catch (error) {
      log("query failed", { error: messageOf(error) });
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  }

  private async merged(path: string, params: URLSearchParams): Promise<Page> {
    const asked = new URLSearchParams(params);
    // All have to speak of the same moment.
    if (path === "/api/v1/query" && !asked.has("time")) {
      asked.set("time", String(Date.now() / 1000));
    }
    const weighing = new URLSearchParams(asked);
    weighing.set("query", weightQuery(asked.get("query") ?? ""));
    const both = await this.gathered(async (monitor) => {
      const [reply, weight] = await Promise.all([
        this.said(monitor, path, asked),
        this.monitors.length > 1 ? this.said(monitor, path, weighing) : undefined,
      ]);
      return reply && { reply, weight };
    });
    const weighed = both.flatMap(({ reply, weight }): Weighed[] => {
      if (reply.status !== 200) return [];
      const seen = weight?.status === 200 ? seenOf(parsed(weight)) : new Map<number, number>();
      return [{ answer: parsed(reply), seen }];
    });
    if (weighed.length === 0) return this.firstOf(both.map(({ reply }) => reply));
    return json(200, merge(weighed));
  }

  private async passed(path: string, params: URLSearchParams): Promise<Page> {
    return this.firstOf(await this.gathered((monitor) => this.said(monitor, path, params)));
  }

  /** What the monitors say, in their order: all of them, or those that are not much slower than the first. */
  private async gathered<T>(
    say: (monitor: string) => Promise<T | undefined>,
  ): Promise<readonly T[]> {
    const answers = new Map<string, T>();
    const each = this.monitors.map(async (monitor) => {
      const answer = await say(monitor);
      if (answer === undefined) throw new Error(`${monitor} does not answer`);
      answers.set(monitor, answer);
    });
    const all = Promise.allSettled(each);
    const enough = Promise.any(each).then(
      () => sleep(this.graceMs, undefined, { ref: false }),
      () => undefined,
    );
    await Promise.race([all, enough]);
    return this.monitors.flatMap((monitor) => answers.get(monitor) ?? []);
  }

  /** A good one, else what is wrong. */
  private firstOf(replies: readonly Page[]): Page {
    return (
      replies.find(({ status }) => status === 200) ??
      replies[0] ??
      json(503, {
        status: "error",
        errorType: "unavailable",
        error: `no Prometheus answers: ${this.monitors.join(", ")}`,
      })
    );
  }

  private async said(monitor: string, path: string, params: URLSearchParams): Promise<Reply> {
    try {
      const patience = this.silent.has(monitor) ? silentPatienceMs : patienceMs;
      const page = await ask(`${monitor}${path}?${params.toString()}`, this.authority, patience);
      this.silent.delete(monitor);
      // It is there, and does not serve: it is reading what it has recorded, or it is stopping.
      return page.status === 503 ? undefined : page;
    } catch (error) {
      if (!this.silent.has(monitor)) {
        log("does not answer queries", { monitor, error: messageOf(error) });
      }
      this.silent.add(monitor);
      return undefined;
    }
  }
}

const parsed = ({ body }: Page) => JSON.parse(body) as Answer;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > longestBody) throw new Error(`the query is longer than ${longestBody} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** The reader of a node, listening. */
export function startReader(
  { address, reader, tls }: MonitoringAgentView,
  authority: string,
): void {
  new Reader(reader.monitors, authority).listen(
    { address, port: reader.port, tls },
    nodeIdentity(),
  );
}
