import { setTimeout as sleep } from "node:timers/promises";
import { cities } from "../../apps/property/commands/seed";
import { differingBodies, throughput, type Throughput } from "../../loadtests/throughput";
import { DataStack } from "../support/dataStack";
import type { Figures } from "../support/figures";
import { busySeconds, coresByMachine, idleCores, usedGigabytes } from "./computer";

const network = "10.87.0.0/24";
const rows = 100_000;
const connections = 16;
const seconds = 20;

/** Lists that are measured: filtered, in the order of an index, first pages. */
const lists = {
  "filtered list": "limit=20",
  "filtered list with the number of matches": "limit=20&total=true",
} as const;

const pathsOf = (query: string) =>
  cities.flatMap((city) =>
    ["apartment", "house"].map(
      (kind) =>
        `/api/property?city=${encodeURIComponent(city)}&kind=${kind}&minPrice=100000&${query}`,
    ),
  );

/** Times of the whole stack, and what the cache is worth over 100,000 rows. */
export async function benchData(figures: Figures): Promise<void> {
  const stack = new DataStack("bench-data", network, figures);
  await stack.stack.make("down");
  const cores = await idleCores();
  const memory = await usedGigabytes();
  try {
    await stack.up();
    figures.record("no-op preview", (await stack.stack.preview()).seconds, "s");
    await sleep(10_000);
    figures.record("idle CPU", (await idleCores()) - cores, "cores");
    figures.record("memory", (await usedGigabytes()) - memory, "GB");
    await stack.seed(rows);
    await stack.plans();
    await compare(stack, figures);
  } finally {
    await stack.down();
  }
}

async function compare(stack: DataStack, figures: Figures): Promise<void> {
  const names = Object.keys(lists) as (keyof typeof lists)[];
  const on = new Map<string, Throughput>();
  for (const name of names) on.set(name, await measure(stack, figures, `${name}, cache on`, name));
  stack.stack.configure({ appPool: { environment: { FLAG_CACHE: "off" } } });
  await stack.stack.mustUp();
  for (const name of names) {
    const off = await measure(stack, figures, `${name}, cache off`, name);
    const cached = on.get(name);
    if (!cached) continue;
    figures.record(
      `${name}: throughput with the cache`,
      cached.perSecond / off.perSecond,
      "times",
      "3.4",
    );
    figures.record(
      `${name}: bodies that differ`,
      differingBodies(cached, off).length,
      "paths",
      "0",
    );
  }
}

async function measure(
  stack: DataStack,
  figures: Figures,
  what: string,
  list: keyof typeof lists,
): Promise<Throughput> {
  const { vip } = await stack.stack.outputs();
  const options = {
    origin: `http://${vip}`,
    networks: [network],
    paths: pathsOf(lists[list]),
    connections,
  };
  await throughput({ ...options, seconds: 5 });
  const before = busySeconds();
  const running = throughput({ ...options, seconds });
  await sleep((seconds * 1000) / 2);
  const machines = await coresByMachine(stack.stack.name);
  const result = await running;
  figures.record(`${what}: throughput`, result.perSecond, "requests/s");
  figures.record(`${what}: p95`, result.p95Ms, "ms");
  figures.record(`${what}: failed`, result.failed, "requests", "0");
  figures.record(`${what}: CPU`, (busySeconds() - before) / seconds, "cores");
  figures.note(
    `${what}: who uses the CPU`,
    [["the client", result.clientCores] as const, ...machines]
      .sort(([, a], [, b]) => b - a)
      .map(([name, used]) => `${name} ${used.toFixed(2)} cores`)
      .join(", "),
  );
  return result;
}
