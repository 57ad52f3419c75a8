/*
 * Repeats faults on a live stack of its own and keeps the figures in docs/chaos.json: `make chaos`.
 * ONLY= takes the scenarios whose name contains it. A run that was cut off goes on where it was.
 * Exit code 1 where a bar was missed.
 */
import {
  keepResult,
  keepUnfinished,
  oldestFirst,
  chaosResults,
  repeatOnce,
  unfinished,
} from "./support/chaos";
import { LiveStack } from "./support/liveStack";
import { steadyLoad } from "./support/measure";

const network = "10.84.0.0/24";

async function main(): Promise<boolean> {
  const only = process.env["ONLY"] ?? "";
  const chosen = oldestFirst(chaosResults()).filter(({ name }) => name.includes(only));
  if (chosen.length === 0) {
    const names = oldestFirst({}).map(({ name }) => JSON.stringify(name));
    throw new Error(`ONLY: found ${JSON.stringify(only)}, allowed: part of ${names.join(", ")}`);
  }
  const stack = new LiveStack("chaos", { machines: { network } });
  await stack.make("down");
  await stack.init();
  console.log("starting stack chaos");
  await stack.mustUp();
  const load = await steadyLoad(await stack.refreshMachines(), network);
  let held = true;
  try {
    for (const scenario of chosen) {
      const samples = unfinished(scenario);
      for (let n = samples.length; n < scenario.repetitions; n++) {
        const sample = await repeatOnce(scenario, stack, load, n);
        samples.push(sample);
        keepUnfinished(scenario, samples);
        held &&= sample.failedSeconds <= scenario.failedSecondsAllowed;
        console.log(
          `${scenario.name} ${n + 1}/${scenario.repetitions}: ${sample.failedSeconds.toFixed(2)} s of load failed (allowed ${scenario.failedSecondsAllowed}), longest request ${Math.round(sample.longestMs)} ms, back in ${sample.recoverySeconds.toFixed(1)} s`,
        );
      }
      keepResult(scenario, samples);
      keepUnfinished(scenario, []);
    }
  } finally {
    await load.kill();
    await stack.make("down");
  }
  return held;
}

process.exitCode = (await main()) ? 0 : 1;
