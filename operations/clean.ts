import { rmSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../model/rendering";
import { runIfProgram, say, variable } from "./command";
import { stacksOnEngine } from "./engine";

/** Stacks that this computer's engine runs; none where it has no engine or none answers. */
async function runningStacks(): Promise<string[]> {
  try {
    return await stacksOnEngine();
  } catch {
    return [];
  }
}

/** Removes what was built and can be built again. Refuses while a stack needs it to go down. */
async function main(): Promise<void> {
  const running = await runningStacks();
  if (running.length > 0 && variable("FORCE") !== "1") {
    const commands = running.map((stack) => `make down STACK=${stack}`);
    throw new Error(
      `stacks on this computer: ${running.join(", ")}; they need the tools to go down. First: ${commands.join("; ")} (FORCE=1 removes the tools all the same)`,
    );
  }
  await execa("node", ["--import", "tsx", "toolchain/main.ts", "clean"], {
    cwd: projectRoot,
    stdio: "inherit",
  });
  // Last, because this program runs from node_modules.
  for (const folder of [".build", "node_modules"]) {
    rmSync(path.join(projectRoot, folder), { recursive: true, force: true });
  }
  say("caches are gone; the next make brings them back");
}

runIfProgram(import.meta.url, main);
