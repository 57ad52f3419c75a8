import { runIfProgram, variable, words } from "./command";
import { initStack, readState, requireConfigFile, runPulumi, stackFromEnvironment } from "./pulumi";

/** Shows what an update would do; nothing is changed. */
async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  requireConfigFile(stack);
  if (!(await readState(stack))) await initStack(stack);
  await runPulumi("preview", stack, words(variable("ARGS") ?? ""));
}

runIfProgram(import.meta.url, main);
