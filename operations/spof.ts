import { planStack, readPlan } from "../model/stack";
import { spofJson, spofText } from "../model/spofText";
import { tiers } from "../tiers";
import { runIfProgram, variable, words } from "./command";
import { readSettings, readState, requireConfigFile, stackFromEnvironment } from "./pulumi";
import { settingsOf } from "./settingsFile";

/** Shows every single point of failure of the stack, deployed or not; ARGS=--json for programs. */
async function main(): Promise<void> {
  const args = words(variable("ARGS") ?? "");
  const unknown = args.find((arg) => arg !== "--json");
  if (unknown !== undefined) {
    throw new Error(`ARGS: found ${unknown}, allowed: --json or nothing`);
  }
  const stack = stackFromEnvironment();
  requireConfigFile(stack);
  // Pulumi reads the settings of stacks that it knows; only those can have secrets.
  const plan = (await readState(stack))
    ? planStack(tiers, await readSettings(stack))
    : readPlan(tiers, settingsOf(stack.configFile));
  console.log(args.includes("--json") ? spofJson(stack.name, plan) : spofText(stack.name, plan));
}

runIfProgram(import.meta.url, main);
