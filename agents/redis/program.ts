import { spawn, type ChildProcess } from "node:child_process";
import { log, relayLines } from "../io";
import { logLine } from "./logLines";

/** A program that the agent runs; its output becomes part of the node's log. */
export class Program {
  private process: ChildProcess | undefined;
  private started = 0;

  constructor(
    readonly name: string,
    private readonly command: string,
    private readonly file: string,
    /** Told when it ends, with the milliseconds that it ran. */
    private readonly onExit: (ranMs: number) => void,
  ) {}

  get running(): boolean {
    return this.process !== undefined;
  }

  /** Milliseconds since the start, 0 while it does not run. */
  get ranMs(): number {
    return this.process ? performance.now() - this.started : 0;
  }

  start(): void {
    const child = spawn(this.command, [this.file], { stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    this.started = performance.now();
    relayLines(child, (text, now) => logLine(this.name, text, now));
    let ended = false;
    const end = (details: Readonly<Record<string, unknown>>) => {
      if (ended) return;
      ended = true;
      this.process = undefined;
      log(`${this.name} ended`, details);
      this.onExit(performance.now() - this.started);
    };
    child.on("error", (error) => end({ error: error.message }));
    child.on("exit", (code, signal) => end({ code, signal }));
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }

  /** Ends it, by force where it takes longer. Resolves when it has ended. */
  async stop(patienceMs: number): Promise<void> {
    const child = this.process;
    if (!child) return;
    const force = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    clearTimeout(force);
  }
}
