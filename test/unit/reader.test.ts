import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { merge, seenOf, weightQuery, type Answer, type Point } from "../../agents/monitoring/merge";
import { ask } from "../../agents/monitoring/ask";
import { Reader } from "../../agents/monitoring/reader";
import { eventually } from "../support/measure";
import { Authority, type Issued } from "./support/certificates";

type Samples = readonly (readonly [number, number])[];
type Metric = Readonly<Record<string, string>>;

const points = (samples: Samples): Point[] =>
  samples.map(([time, value]) => [time, String(value)] as const);

const matrix = (...series: readonly (readonly [Metric, Samples])[]): Answer => ({
  status: "success",
  data: {
    resultType: "matrix",
    result: series.map(([metric, samples]) => ({ metric, values: points(samples) })),
  },
});

const vector = (...series: readonly (readonly [Metric, Samples[number]])[]): Answer => ({
  status: "success",
  data: {
    resultType: "vector",
    result: series.map(([metric, sample]) => ({ metric, value: points([sample])[0]! })),
  },
});

const weights = (samples: Samples) => seenOf(matrix([{}, samples]));

describe("of answers for a range", () => {
  it("each fills the holes of the other", () => {
    const a = {
      answer: matrix([
        { node: "n" },
        [
          [0, 10],
          [15, 11],
        ],
      ]),
      seen: weights([
        [0, 9],
        [15, 9],
      ]),
    };
    const b = {
      answer: matrix([
        { node: "n" },
        [
          [30, 12],
          [45, 13],
        ],
      ]),
      seen: weights([
        [30, 9],
        [45, 9],
      ]),
    };
    expect(merge([a, b])).toEqual(
      matrix([
        { node: "n" },
        [
          [0, 10],
          [15, 11],
          [30, 12],
          [45, 13],
        ],
      ]),
    );
    expect(merge([b, a])).toEqual(merge([a, b]));
  });

  it("the one that saw more is believed, also where the other has a value for nothing", () => {
    // sum(x) or vector(0): the first one was down at 15 and says 0.
    const a = {
      answer: matrix([
        {},
        [
          [0, 10],
          [15, 0],
          [30, 12],
        ],
      ]),
      seen: weights([
        [0, 9],
        [30, 9],
      ]),
    };
    const b = {
      answer: matrix([
        {},
        [
          [0, 10.1],
          [15, 11.1],
          [30, 12.1],
        ],
      ]),
      seen: weights([
        [0, 9],
        [15, 9],
        [30, 9],
      ]),
    };
    expect(merge([a, b])).toEqual(
      matrix([
        {},
        [
          [0, 10],
          [15, 11.1],
          [30, 12],
        ],
      ]),
    );
  });

  it("the first is believed as long as both saw about as much", () => {
    const a = {
      answer: matrix([
        {},
        [
          [0, 1],
          [15, 2],
        ],
      ]),
      seen: weights([
        [0, 100],
        [15, 90],
      ]),
    };
    const b = {
      answer: matrix([
        {},
        [
          [0, 5],
          [15, 6],
        ],
      ]),
      seen: weights([
        [0, 109],
        [15, 100],
      ]),
    };
    expect(merge([a, b])).toEqual(
      matrix([
        {},
        [
          [0, 1],
          [15, 6],
        ],
      ]),
    );
  });

  it("what one of them saw is taken whole, with no series of the other", () => {
    const a = { answer: matrix([{ node: "x" }, [[0, 1]]]), seen: weights([[0, 9]]) };
    const b = {
      answer: matrix([{ node: "x" }, [[0, 0]]], [{ node: "y" }, [[0, 0]]]),
      seen: weights([[0, 4]]),
    };
    expect(merge([a, b])).toEqual(a.answer);
    expect(merge([b, a])).toEqual(a.answer);
  });

  it("whoever has something is believed where nobody knows what it saw", () => {
    const nothing = new Map<number, number>();
    const a = { answer: matrix([{}, [[0, 1]]]), seen: nothing };
    const b = {
      answer: matrix([
        {},
        [
          [0, 2],
          [15, 3],
        ],
      ]),
      seen: nothing,
    };
    expect(merge([a, b])).toEqual(
      matrix([
        {},
        [
          [0, 1],
          [15, 3],
        ],
      ]),
    );
  });

  it("labels in another order are the same series", () => {
    const a = { answer: matrix([{ a: "1", b: "2" }, [[0, 1]]]), seen: weights([[0, 9]]) };
    const b = { answer: matrix([{ b: "2", a: "1" }, [[15, 2]]]), seen: weights([[15, 9]]) };
    expect(merge([a, b])).toEqual(
      matrix([
        { a: "1", b: "2" },
        [
          [0, 1],
          [15, 2],
        ],
      ]),
    );
  });
});

describe("of answers for one time", () => {
  it("that of the one that saw more is believed", () => {
    const a = { answer: vector([{}, [0, 1]]), seen: seenOf(vector([{}, [0, 4]])) };
    const b = { answer: vector([{}, [0, 2]]), seen: seenOf(vector([{}, [0, 9]])) };
    expect(merge([a, b])).toEqual(b.answer);
    expect(merge([a])).toEqual(a.answer);
  });

  it("also a number has no series, and nothing is an answer", () => {
    const one: Answer = { status: "success", data: { resultType: "scalar", result: [0, "1"] } };
    expect(merge([{ answer: one, seen: new Map() }])).toEqual(one);
    expect(merge([{ answer: vector(), seen: new Map() }])).toEqual(vector());
    expect(() => merge([])).toThrow("found no answer, allowed: at least one");
  });
});

describe("how much a Prometheus saw", () => {
  it.each([
    ["up", 15],
    ["rate(x[1m])", 60],
    ["rate(x[90s]) / rate(y[ 1h30m ])", 3600],
    ["rate(x[5s])", 15],
    ["max_over_time(rate(x[1m])[10m:30s])", 600],
    ["sum_over_time(x[30d])", 3600],
    ['x{path="[9m]"}', 15],
  ])("is weighed over the time that %s looks back on", (query, seconds) => {
    expect(weightQuery(query)).toBe(`sum(sum_over_time(up[${seconds}s]))`);
  });
});

/** A Prometheus that answers every query with what it is told to. */
class FakePrometheus {
  server: Server | undefined;
  answer: Answer = vector();
  seen: Answer = vector();
  status = 200;
  /** It takes connections and never answers. */
  frozen = false;
  readonly asked: URLSearchParams[] = [];

  /** Over TLS where it has a certificate. */
  async start(issued?: Issued): Promise<string> {
    const respond: RequestListener = (request, response) => {
      const params = new URL(request.url ?? "/", "http://fake").searchParams;
      this.asked.push(params);
      if (this.frozen) return;
      const weighs = params.get("query")?.startsWith("sum(sum_over_time(up[") ?? false;
      response.writeHead(this.status, { "content-type": "application/json" });
      response.end(JSON.stringify(weighs ? this.seen : this.answer));
    };
    this.server = issued
      ? createSecureServer({ cert: issued.certificate, key: issued.key }, respond)
      : createServer(respond);
    await new Promise<void>((resolve) => this.server?.listen(0, "127.0.0.1", resolve));
    const { port } = this.server.address() as AddressInfo;
    return `${issued ? "https" : "http"}://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((resolve) => this.server?.close(resolve));
  }
}

describe("the reader", () => {
  let authority: Authority;
  let own: Issued;
  let monitors: FakePrometheus[];
  let reader: Reader;
  beforeAll(() => {
    authority = new Authority();
    own = authority.issue({ addresses: ["127.0.0.1"] });
  });
  afterAll(() => authority.remove());
  const identity = () => ({ cert: own.certificate, key: own.key });
  const query = async (text: string, path = "/api/v1/query") => {
    const page = await reader.answer(path, new URLSearchParams({ query: text }));
    return { status: page.status, body: JSON.parse(page.body) as unknown };
  };

  beforeEach(async () => {
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    monitors = [new FakePrometheus(), new FakePrometheus()];
    reader = new Reader(await Promise.all(monitors.map((monitor) => monitor.start())), "", 50);
    monitors.forEach((monitor, index) => {
      monitor.answer = vector([{ from: String(index) }, [0, index]]);
      monitor.seen = vector([{}, [0, 9]]);
    });
  });
  afterEach(async () => {
    await Promise.all(monitors.map((monitor) => monitor.stop()));
    vi.restoreAllMocks();
  });

  it("asks both for the same moment, and how much they saw", async () => {
    expect(await query("rate(x[1m])")).toEqual({ status: 200, body: monitors[0]!.answer });
    const asked = monitors.flatMap((monitor) => monitor.asked);
    expect(asked.map((params) => params.get("query")).sort()).toEqual([
      "rate(x[1m])",
      "rate(x[1m])",
      "sum(sum_over_time(up[60s]))",
      "sum(sum_over_time(up[60s]))",
    ]);
    expect(new Set(asked.map((params) => params.get("time"))).size).toBe(1);
  });

  it("believes the one that saw more", async () => {
    monitors[0]!.seen = vector([{}, [0, 5]]);
    expect((await query("x")).body).toEqual(monitors[1]!.answer);
  });

  it.each([0, 1])("survives the loss of monitor %i", async (lost) => {
    await monitors[lost]!.stop();
    for (const path of ["/api/v1/query", "/api/v1/labels"]) {
      expect(await query("x", path)).toEqual({ status: 200, body: monitors[1 - lost]!.answer });
    }
  });

  it.each([0, 1])("does not wait for monitor %i, which is frozen", async (frozen) => {
    monitors[frozen]!.frozen = true;
    const begun = performance.now();
    expect((await query("x")).body).toEqual(monitors[1 - frozen]!.answer);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  it("passes over one that does not serve yet", async () => {
    monitors[0]!.status = 503;
    expect((await query("x")).body).toEqual(monitors[1]!.answer);
  });

  it("says what is wrong with a query", async () => {
    for (const monitor of monitors) monitor.status = 400;
    expect((await query("x)")).status).toBe(400);
  });

  it("says so where no Prometheus answers", async () => {
    await Promise.all(monitors.map((monitor) => monitor.stop()));
    const { status, body } = await query("x");
    expect(status).toBe(503);
    expect(body).toMatchObject({ status: "error", errorType: "unavailable" });
  });

  async function freePort(): Promise<number> {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    await new Promise((resolve) => taken.close(resolve));
    return port;
  }

  it("asks over TLS, and believes nobody whose certificate is of another authority", async () => {
    await Promise.all(monitors.map((monitor) => monitor.stop()));
    const stranger = new Authority();
    const strange = stranger.issue({ addresses: ["127.0.0.1"] });
    stranger.remove();
    const urls = [await monitors[0]!.start(strange), await monitors[1]!.start(own)];
    reader = new Reader(urls, authority.certificate, 50);
    monitors[1]!.seen = vector([{}, [0, 1]]);
    expect((await query("x")).body).toEqual(monitors[1]!.answer);
    expect(monitors[0]!.asked).toEqual([]);
  });

  it.each([
    ["off", ["http", "https"]],
    ["prefer", ["http", "https"]],
    ["require", ["https"]],
  ] as const)("at %s is asked by %s", async (tls, schemes) => {
    const port = await freePort();
    reader.listen({ address: "127.0.0.1", port, tls }, identity());
    const isReady = (scheme: string) =>
      ask(`${scheme}://127.0.0.1:${port}/-/ready`, authority.certificate, 5000).then(
        ({ status }) => status === 200,
        () => false,
      );
    await eventually("it listens", 20, () => isReady("https"));
    for (const scheme of ["http", "https"] as const) {
      expect(await isReady(scheme), scheme).toBe((schemes as readonly string[]).includes(scheme));
    }
  });

  it("is asked over HTTP, by address and by form as Grafana does", async () => {
    const port = await freePort();
    reader.listen({ address: "127.0.0.1", port, tls: "prefer" }, identity());
    const url = `http://127.0.0.1:${port}`;
    await eventually("it listens", 20, () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const range = { query: "x", start: "0", end: "30", step: "15" };
    const asked = await fetch(`${url}/api/v1/query?query=x`);
    expect(asked.headers.get("content-type")).toBe("application/json");
    expect(await asked.json()).toEqual(monitors[0]!.answer);
    const body = new URLSearchParams(range);
    const posted = await fetch(`${url}/api/v1/query_range`, { method: "POST", body });
    expect(await posted.json()).toEqual(monitors[0]!.answer);
    expect(Object.fromEntries(monitors[0]!.asked.at(-1)!)).toMatchObject({
      start: "0",
      end: "30",
      step: "15",
    });
  });

  it("offers queries and nothing else", async () => {
    expect((await reader.answer("/-/ready", new URLSearchParams())).status).toBe(200);
    for (const path of ["/", "/api/v1/admin/tsdb/snapshot", "/api/v1/write", "/-/quit"]) {
      expect((await reader.answer(path, new URLSearchParams())).status, path).toBe(404);
    }
    expect(monitors.flatMap(({ asked }) => asked)).toEqual([]);
  });
});
