import os from "node:os";
import { Generator } from "./generator";
import { planLoad, type LoadOptions } from "./options";
import type { Progress } from "./generator";
import type { RawReport } from "./report";

/** To the worker. */
export type Request =
  | { readonly type: "start"; readonly options: LoadOptions }
  | { readonly type: "report" }
  | { readonly type: "stop" };

/** From the worker. */
export type Response =
  | { readonly type: "started" }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "report"; readonly report: RawReport; readonly last: boolean };

const tell = (message: Response, then?: () => void) =>
  process.send?.(message, undefined, undefined, then);
const exit = () => process.exit(0);

// On a busy computer a starved generator would report its own delays as the stack's. Only root may.
try {
  os.setPriority(os.constants.priority.PRIORITY_HIGH);
} catch {
  // It then measures at the priority it has.
}

let generator: Generator | undefined;

let finished = false;

function finish(): void {
  if (!generator || finished) return;
  finished = true;
  tell({ type: "report", report: generator.report(), last: true }, exit);
}

process.on("message", (message: Request) => {
  switch (message.type) {
    case "start":
      try {
        generator = new Generator(planLoad(message.options), finish);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        tell({ type: "failed", message: text }, exit);
        return;
      }
      tell({ type: "started" });
      setInterval(() => {
        if (generator) tell({ type: "progress", progress: generator.progress() });
      }, 1000);
      return;
    case "report":
      void generator?.settled().then(() => {
        if (generator) tell({ type: "report", report: generator.report(), last: false });
      });
      return;
    case "stop":
      void generator?.stop().then(finish);
      return;
  }
});

// Ctrl-C reaches the whole group of processes; the parent decides what it means.
process.on("SIGINT", () => {});
// No load without someone who watches it.
process.on("disconnect", exit);
