import { runIfProgram, variable, words } from "./command";
import { bringImages } from "./images";
import {
  initStack,
  policyArguments,
  readState,
  requireConfigFile,
  runPulumi,
  stackFromEnvironment,
} from "./pulumi";

/** Shows what an update would do; nothing is changed. */
async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  requireConfigFile(stack);
  await bringImages(stack);
  if (!(await readState(stack))) await initStack(stack);
  await runPulumi("preview", stack, [...policyArguments(stack), ...words(variable("ARGS") ?? "")]);
}

runIfProgram(import.meta.url, main);
