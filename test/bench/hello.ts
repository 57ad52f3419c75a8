import type { Figures } from "../support/figures";
import { LiveStack } from "../support/liveStack";
import { steadyLoad, watch } from "../support/measure";
import { idleCores, usedGigabytes } from "./computer";

const network = "10.80.0.0/24";

/** Times and ratios of stack `hello`. The stack is taken down first and at the end. */
export async function benchHello(figures: Figures): Promise<void> {
  const record = figures.record.bind(figures);
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
}
