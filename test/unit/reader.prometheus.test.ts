import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa, execaSync, type ResultPromise } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../agents/monitoring/merge";
import { ask as page } from "../../agents/monitoring/ask";
import { Reader } from "../../agents/monitoring/reader";
import { eventually } from "../support/measure";
import { Authority } from "./support/certificates";

/*
 * The reader before two real Prometheus over TLS, of which each has slept through another part of
 * the same forty minutes. They are in Debian's package prometheus; where they are not on this computer,
 * reader.test.ts alone says how answers are merged.
 */
const present = ["prometheus", "promtool"].every(
  (tool) => execaSync(tool, ["--version"], { reject: false }).exitCode === 0,
);
const base = Math.floor(Date.now() / 1000 / 15) * 15 - 3600;
const lengthSeconds = 2400;
/** Seconds from `base` that each of them has missed. */
const holes = [
  [300, 900],
  [1200, 1950],
] as const;

/** A counter that grows by 2 a second, and the scrapes that saw it. */
function recorded([from, to]: readonly [number, number]): string {
  const times = Array.from({ length: lengthSeconds / 5 + 1 }, (_, index) => 5 * index).filter(
    (at) => at < from || at >= to,
  );
  return [
    "# TYPE requests counter",
    ...times.map((at) => `requests_total{node="n"} ${2 * at} ${base + at}`),
    "# TYPE up gauge",
    ...times.map((at) => `up{node="n"} 1 ${base + at}`),
    "# EOF",
    "",
  ].join("\n");
}

describe.skipIf(!present)("two Prometheus with holes", () => {
  let folder: string;
  let authority: Authority;
  let running: ResultPromise[] = [];
  let urls: string[] = [];
  const ask = async (query: string, addresses: readonly string[]) => {
    const params = new URLSearchParams({
      query,
      start: String(base + 60),
      end: String(base + lengthSeconds),
      step: "15",
    });
    const { status, body } = await new Reader(addresses, authority.certificate).answer(
      "/api/v1/query_range",
      params,
    );
    expect(status, body).toBe(200);
    const { data } = JSON.parse(body) as Answer;
    if (data.resultType !== "matrix") throw new Error(body);
    return data.result.flatMap(({ values = [] }) => values.map(([, value]) => Number(value)));
  };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "holdfast-reader-"));
    authority = new Authority();
    const { certificate, key } = authority.issue({ addresses: ["127.0.0.1"] });
    const web =
      "tls_server_config: { cert_file: node.pem, key_file: node.key, min_version: TLS12 }";
    for (const [file, content] of [
      ["empty.yml", ""],
      ["web.yml", web],
      ["node.pem", certificate],
      ["node.key", key],
    ] as const) {
      writeFileSync(path.join(folder, file), content);
    }
    urls = await Promise.all(
      holes.map(async (hole, index) => {
        const [file, data] = [`${index}.om`, `data-${index}`];
        writeFileSync(path.join(folder, file), recorded(hole));
        await execa("promtool", ["tsdb", "create-blocks-from", "openmetrics", file, data], {
          cwd: folder,
        });
        const listen = `127.0.0.1:${19_310 + index}`;
        const args = [
          ...["--config.file=empty.yml", "--web.config.file=web.yml"],
          `--storage.tsdb.path=${data}`,
        ];
        running.push(
          execa("prometheus", [...args, `--web.listen-address=${listen}`], {
            cwd: folder,
            reject: false,
          }),
        );
        return `https://${listen}`;
      }),
    );
    for (const url of urls) {
      await eventually(`${url} is ready`, 30, () =>
        page(`${url}/-/ready`, authority.certificate, 5000).then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
    }
  }, 60_000);

  afterAll(async () => {
    for (const process of running) process.kill("SIGTERM");
    await Promise.all(running);
    running = [];
    authority.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const steps = (lengthSeconds - 60) / 15 + 1;

  it("have holes each by itself, and none together", async () => {
    for (const url of urls) {
      expect((await ask("requests_total", [url])).length).toBeLessThan(steps);
    }
    const merged = await ask("requests_total", urls);
    expect(merged).toHaveLength(steps);
    // Staleness keeps a value for a moment: at the edge of a hole it is the other's that counts.
    expect(merged).toEqual(merged.map((_, index) => 2 * (60 + 15 * index)));
  });

  it("have no hole in a rate, and no counter that starts again", async () => {
    const merged = await ask("rate(requests_total[1m])", urls);
    expect(merged).toHaveLength(steps);
    for (const value of merged) expect(value).toBeCloseTo(2, 1);
  });

  it("take no 0 of one that saw nothing for an answer", async () => {
    const query = "sum(rate(requests_total[1m])) or vector(0)";
    expect(await ask(query, [urls[0] ?? ""])).toContain(0);
    for (const value of await ask(query, urls)) expect(value).toBeCloseTo(2, 1);
  });

  it("answer alone where the other one is lost", async () => {
    const lost = "https://127.0.0.1:9";
    for (const url of urls) {
      expect(await ask("requests_total", [lost, url])).toEqual(await ask("requests_total", [url]));
    }
  });
});
