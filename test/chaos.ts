/*
 * Repeats faults on live stacks of its own and keeps the figures in docs/chaos.json: `make chaos`.
 * ONLY= takes the scenarios whose name contains it. A run that was cut off goes on where it was.
 * Exit code 1 where a bar was missed.
 */
import { propertyPaths } from "../loadtests/shared";
import { host, labHosts, network } from "../model/addresses";
import {
  chaosResults,
  keepResult,
  keepUnfinished,
  missed,
  oldestFirst,
  scenarios,
  unfinished,
  type Scenario,
} from "./support/chaos";
import type { WebStage } from "./support/chaosWeb";
import { DataStack } from "./support/dataStack";
import { Figures } from "./support/figures";
import { LiveStack } from "./support/liveStack";
import { steadyLoad } from "./support/measure";

const rows = 10_000;

/** Scenarios whose name contains ONLY=, the oldest result first. */
function chosen<Stage>(all: readonly Scenario<Stage>[]): Scenario<Stage>[] {
  const only = process.env["ONLY"] ?? "";
  return oldestFirst(all, chaosResults()).filter(({ name }) => name.includes(only));
}

/** Repeats each; true where every bar was held each time. */
async function repeat<Stage>(list: readonly Scenario<Stage>[], stage: Stage): Promise<boolean> {
  let held = true;
  for (const scenario of list) {
    const samples = unfinished(scenario);
    for (let n = samples.length; n < scenario.repetitions; n++) {
      const sample = await scenario.once(stage, n);
      samples.push(sample);
      keepUnfinished(scenario, samples);
      const figures = Object.entries(sample).map(
        ([name, value]) => `${name} ${Math.round(value * 100) / 100}`,
      );
      console.log(`${scenario.name} ${n + 1}/${scenario.repetitions}: ${figures.join(", ")}`);
    }
    for (const sample of samples) {
      for (const miss of missed(scenario, sample)) {
        held = false;
        console.log(`${scenario.name}: ${miss}`);
      }
    }
    keepResult(scenario, samples);
    keepUnfinished(scenario, []);
  }
  return held;
}

async function web(list: readonly Scenario<WebStage>[]): Promise<boolean> {
  const lab = "10.84.0.0/24";
  const stack = new LiveStack("chaos", { machines: { network: lab } });
  await stack.make("down");
  await stack.init();
  console.log("starting stack chaos");
  await stack.mustUp();
  const load = await steadyLoad(await stack.refreshMachines(), lab);
  try {
    return await repeat(list, { stack, load });
  } finally {
    await load.kill();
    await stack.make("down");
  }
}

async function data(list: readonly Scenario<DataStack>[]): Promise<boolean> {
  const lab = "10.86.0.0/24";
  const stack = new DataStack("chaos-data", lab, new Figures("chaos-data"), {
    // This computer alone is the operator: machines have no business with each other's SSH.
    machines: { network: lab, adminNetworks: [`${host(network(lab), labHosts.gateway)}/32`] },
  });
  console.log("starting stack chaos-data");
  try {
    await stack.up();
    await stack.seed(rows);
    await stack.startLoad(propertyPaths);
    return await repeat(list, stack);
  } finally {
    await stack.down();
  }
}

async function main(): Promise<boolean> {
  const lists = { web: chosen(scenarios.web), data: chosen(scenarios.data) };
  if (lists.web.length + lists.data.length === 0) {
    const names = [...scenarios.web, ...scenarios.data].map(({ name }) => JSON.stringify(name));
    const only = JSON.stringify(process.env["ONLY"]);
    throw new Error(`ONLY: found ${only}, allowed: part of ${names.join(", ")}`);
  }
  const held = [
    lists.web.length === 0 || (await web(lists.web)),
    lists.data.length === 0 || (await data(lists.data)),
  ];
  return held.every(Boolean);
}

process.exitCode = (await main()) ? 0 : 1;
