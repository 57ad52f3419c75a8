import { rmSync } from "node:fs";
import path from "node:path";
import { thisMachine } from "./context";
import { examine, isMissing, table } from "./doctor";
import { exportLines, missingVariables } from "./environment";
import { install } from "./install";
import { alone } from "./lock";
import { messageOf } from "./tools";

const usage = `usage: node --import tsx toolchain/main.ts install | doctor | env | clean
  install  bring what is missing: Docker engine, Pulumi, its plugins, k6, base images
  doctor   show each tool, its version and where it comes from; changes nothing
  env      print exports for: eval "$(... env)"; what you set stays
  clean    remove built and downloaded tools; stacks' state stays`;

async function main(command: string | undefined): Promise<void> {
  const context = thisMachine();
  switch (command) {
    case "install":
      return alone(path.join(context.paths.cache, "install.lock"), () => install(context));
    case "doctor": {
      const findings = await examine(context);
      process.stdout.write(`${table(findings)}\n`);
      if (findings.some(isMissing)) {
        throw new Error("something is missing; bring it with: make toolchain");
      }
      return;
    }
    case "env":
      process.stdout.write(exportLines(missingVariables(context.use, context.paths)));
      return;
    case "clean":
      rmSync(context.paths.cache, { recursive: true, force: true });
      return;
    case undefined:
    default:
      throw new Error(
        `${command === undefined ? "no command" : `unknown command ${command}`}\n${usage}`,
      );
  }
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`toolchain: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
