import { fork, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Progress } from "./generator";
import { planLoad, type LoadOptions } from "./options";
import { LoadReport, type RawReport } from "./report";
import type { Request, Response } from "./worker";

export { planLoad } from "./options";
export type { IdleKind, Kind, LoadOptions, RateKind } from "./options";
export type { PathSpec } from "../shared";
export { LoadReport } from "./report";
export type { FailureGroup, Latency, Second, Tally } from "./report";
export type { Reason, Sample } from "./records";
export type { Progress } from "./generator";

export interface StartOptions extends LoadOptions {
  /** Called once a second. */
  readonly onProgress?: (progress: Progress) => void;
}

/** A load that is running in a process of its own. */
export interface Load {
  /** The newest state, at most a second old. */
  readonly progress: Progress | undefined;
  /** Resolves with the last report when the load ends: stopped, or its longest time is over. */
  readonly ended: Promise<LoadReport>;
  /** A report once every request that is under way by now is done; the load goes on. */
  report(): Promise<LoadReport>;
  /** Plans nothing more, waits for requests under way, and reports. May be called again. */
  stop(): Promise<LoadReport>;
  /** Ends the process at once, without a report. Never throws. */
  kill(): Promise<void>;
}

/**
 * Starts a load in a process of its own, so that its timing is not disturbed; resolves once it has
 * begun. Rejects where the options are wrong: then nothing was sent.
 */
export async function startLoad(options: StartOptions): Promise<Load> {
  const { onProgress, ...plain } = options;
  planLoad(plain);

  const child = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)), {
    execArgv: ["--import", loader()],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const load = new RunningLoad(child, onProgress);
  try {
    await load.start(plain);
  } catch (error) {
    await load.kill();
    throw error;
  }
  return load;
}

/** URL of the loader that lets Node run TypeScript, wherever this process was started. */
function loader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
}

class RunningLoad implements Load {
  progress: Progress | undefined;
  readonly ended: Promise<LoadReport>;
  private readonly exited: Promise<void>;
  private readonly waiting: ((report: LoadReport) => void)[] = [];
  private started!: { resolve: () => void; reject: (error: Error) => void };
  private finish!: { resolve: (report: LoadReport) => void; reject: (error: Error) => void };
  private final: LoadReport | undefined;

  constructor(
    private readonly child: ChildProcess,
    onProgress: ((progress: Progress) => void) | undefined,
  ) {
    this.ended = new Promise((resolve, reject) => (this.finish = { resolve, reject }));
    // Whoever stops or asks hears of it; nobody has to listen here.
    this.ended.catch(() => {});
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.fail(new Error(`the load's process ended with ${signal ?? `code ${code}`}`));
        resolve();
      });
    });
    child.once("error", (error) => this.fail(error));
    child.on("message", (message) => {
      const response = message as Response;
      switch (response.type) {
        case "started":
          return this.started.resolve();
        case "failed":
          return this.fail(new Error(response.message));
        case "progress":
          this.progress = response.progress;
          return onProgress?.(response.progress);
        case "report":
          return this.deliver(response.report, response.last);
      }
    });
  }

  start(options: LoadOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.started = { resolve, reject };
      this.tell({ type: "start", options });
    });
  }

  async report(): Promise<LoadReport> {
    if (this.final) return this.final;
    const answer = new Promise<LoadReport>((resolve) => this.waiting.push(resolve));
    this.tell({ type: "report" });
    return Promise.race([answer, this.ended]);
  }

  async stop(): Promise<LoadReport> {
    if (!this.final) this.tell({ type: "stop" });
    const report = await this.ended;
    await this.exited;
    return report;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  private deliver(raw: RawReport, last: boolean): void {
    const report = new LoadReport(raw);
    if (!last) {
      this.waiting.shift()?.(report);
      return;
    }
    this.final = report;
    this.finish.resolve(report);
  }

  private fail(error: Error): void {
    this.started.reject(error);
    this.finish.reject(error);
  }

  private tell(message: Request): void {
    // A process that has ended is told of by its exit.
    if (this.child.connected) this.child.send(message, () => {});
  }
}
