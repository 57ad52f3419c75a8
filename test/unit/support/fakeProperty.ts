import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sequenceOf } from "../../../loadtests/ledger/api";
import type { MemberSnapshot, StoredRow } from "../../../loadtests/ledger/members";

type Content = Readonly<Record<string, unknown>>;

/** How a fake property application misbehaves; everything left out is done as it should be. */
export interface Misbehaviour {
  /** Every nth write is acknowledged and not stored. */
  readonly losesEvery?: number;
  /** Every nth write is stored and then refused. */
  readonly refusesDoneEvery?: number;
  /** Every nth write is stored and its connection then cut. */
  readonly cutsEvery?: number;
  /** Every nth write reaches the first member alone. */
  readonly divergesEvery?: number;
  /** Idempotency keys are ignored. */
  readonly ignoresKeys?: boolean;
  /** Reads show the row's first state. */
  readonly readsFirst?: boolean;
  /** Every nth read is answered with an error. */
  readonly failsReadEvery?: number;
}

export interface FakeProperty {
  readonly origin: string;
  /** What each of its two members holds. */
  snapshots(): Map<string, MemberSnapshot>;
  close(): Promise<void>;
}

/** A property application in memory with two members, on the loopback address. */
export async function startFakeProperty(wrong: Misbehaviour = {}): Promise<FakeProperty> {
  const members = [new Map<number, Content>(), new Map<number, Content>()] as const;
  const first = new Map<number, Content>();
  const answers = new Map<string, readonly [number, unknown]>();
  let ids = 0;
  let writes = 0;
  let reads = 0;
  const every = (count: number, n: number | undefined) => n !== undefined && count % n === 0;

  function store(id: number, content: Content | undefined): void {
    if (every(writes, wrong.losesEvery)) return;
    for (const member of every(writes, wrong.divergesEvery) ? members.slice(0, 1) : members) {
      if (content) member.set(id, content);
      else member.delete(id);
    }
  }

  function write(request: IncomingMessage, id: number, body: string): readonly [number, unknown] {
    if (request.method === "DELETE") {
      if (!members[0].has(id)) return [404, { status: 404 }];
      store(id, undefined);
      return [204, undefined];
    }
    const key = wrong.ignoresKeys ? undefined : request.headers["idempotency-key"];
    const known = typeof key === "string" ? answers.get(key) : undefined;
    if (known) return known;
    const at = request.method === "POST" ? (ids += 1) : id;
    const content = { id: at, ...(JSON.parse(body) as Content) };
    if (!first.has(at)) first.set(at, content);
    store(at, content);
    const answer = [request.method === "POST" ? 201 : 200, content] as const;
    if (typeof key === "string") answers.set(key, answer);
    return answer;
  }

  function handle(request: IncomingMessage, response: ServerResponse, body: string): void {
    const id = Number(request.url?.split("/").at(-1));
    const send = (status: number, content: unknown) => {
      response.writeHead(status, {
        "Consistency-Token": "t",
        "Content-Type": "application/json",
      });
      response.end(content === undefined ? undefined : JSON.stringify(content));
    };
    if (request.method === "GET") {
      reads += 1;
      const content = (wrong.readsFirst ? first : members[0]).get(id);
      if (every(reads, wrong.failsReadEvery)) send(503, { status: 503 });
      else if (content) send(200, content);
      else send(404, { status: 404 });
      return;
    }
    writes += 1;
    const [status, content] = write(request, id, body);
    if (every(writes, wrong.cutsEvery)) request.socket.destroy();
    else if (every(writes, wrong.refusesDoneEvery)) send(503, { status: 503, outcome: "none" });
    else send(status, content);
  }

  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => handle(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    snapshots: () =>
      new Map(
        members.map((member, n) => [
          `member-${n + 1}`,
          { rows: [...member].map(stored), checksums: { property: JSON.stringify([...member]) } },
        ]),
      ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function stored([id, content]: [number, Content]): StoredRow {
  const marker = String(content["title"]);
  const text = JSON.stringify(content);
  return { id: String(id), marker, sequence: sequenceOf(marker, content), text };
}
