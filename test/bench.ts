/*
 * Records times and ratios of stack `hello` on this computer: `make bench`. Nothing here is
 * asserted; counts and states are, in test/e2e. The stack is taken down first and at the end.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../model/rendering";
import { LiveStack } from "./support/liveStack";
import { steadyLoad, watch } from "./support/measure";

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly aim?: string;
}

const network = "10.80.0.0/24";
const idleSeconds = 30;

/** CPU seconds used by the whole computer so far, idle time left out. */
function busySeconds(): number {
  return (
    os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) /
    1000
  );
}

/** Memory in use on this computer in GB, caches left out. */
async function usedGigabytes(): Promise<number> {
  const { stdout } = await execa("free", ["-m"]);
  return Number(/^Mem:\s+\d+\s+(\d+)/m.exec(stdout)?.[1] ?? 0) / 1024;
}

async function idleCores(): Promise<number> {
  const before = busySeconds();
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  return (busySeconds() - before) / idleSeconds;
}

async function main(): Promise<void> {
  const figures: Figure[] = [];
  const record = (what: string, value: number, unit: string, aim?: string) => {
    figures.push({ what, value: Math.round(value * 100) / 100, unit, ...(aim && { aim }) });
    console.log(`${what}: ${value.toFixed(2)} ${unit}${aim ? ` (aim ${aim})` : ""}`);
  };
  const stack = new LiveStack("bench", { machines: { network } });
  await stack.make("down");
  const cores = await idleCores();
  const memory = await usedGigabytes();
  await stack.init();

  record("first up of hello, warm caches", (await stack.mustUp()).seconds, "s", "90");
  record("no-op preview of hello", (await stack.preview()).seconds, "s", "5");
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  record("idle CPU of hello", (await idleCores()) - cores, "cores", "0.3");
  record("memory of hello", (await usedGigabytes()) - memory, "GB", "1.5");

  const outputs = await stack.refreshMachines();
  const load = await steadyLoad(outputs, network);
  const steady = await watch(load, () => new Promise((resolve) => setTimeout(resolve, 30_000)));
  stack.configure({ appPool: { environment: { GREETING: "measured" } } });
  const roll = await watch(load, () => stack.mustUp());
  await load.stop();
  const p99 = (seen: typeof roll.seen) => seen.latency.all.p99Ms;
  record("p99 under steady load", p99(steady.seen), "ms");
  record("p99 while the app nodes are rolled", p99(roll.seen), "ms");
  record("p99 of the roll against steady", p99(roll.seen) / p99(steady.seen), "times", "1.5");
  record("failed requests in the roll", roll.seen.failed, "requests", "0");
  record("roll of two app nodes", roll.result.seconds, "s");
  await stack.make("down");

  const folder = path.join(projectRoot, "reports");
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "bench.json");
  const machine = { cpus: os.cpus().length, model: os.cpus()[0]?.model, memory: os.totalmem() };
  writeFileSync(file, `${JSON.stringify({ machine, figures }, null, 2)}\n`);
  console.log(`written to ${path.relative(process.cwd(), file)}`);
}

await main();
