import { spawn, type ChildProcess } from "node:child_process";
import type { MonitoringAgentView } from "../../model/views";
import { log, relayLines } from "../io";
import { quickMs, restartDelay } from "../restart";
import { ask } from "./ask";
import { logLine } from "./logLine";

const probeTimeoutMs = 2000;

/** A program that is kept running until it is told to stop. */
export class Program {
  /** It answered that it is ready when it was asked last. */
  ready = false;
  private process: ChildProcess | undefined;
  private started = 0;
  private quick = 0;
  private everUp = false;
  private stopping = false;

  /** `authority`: of the certificate that it shows where it is asked over TLS. */
  constructor(
    private readonly spec: MonitoringAgentView["programs"][number],
    private readonly authority: string,
    private readonly onUnaskedEnd: (name: string) => void,
  ) {}

  get name(): string {
    return this.spec.name;
  }

  start(): void {
    if (this.stopping) return;
    const [command = "", ...args] = this.spec.command;
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    this.started = performance.now();
    relayLines(child, (text, now) => logLine(this.name, text, now));
    child.on("error", (error) => this.ended(child, { error: error.message }));
    child.on("exit", (code, signal) => this.ended(child, { code, signal }));
  }

  /** Asks whether it is ready. */
  async probe(): Promise<void> {
    try {
      const { status } = await ask(this.spec.readyUrl, this.authority, probeTimeoutMs);
      this.ready = status === 200;
    } catch {
      this.ready = false;
    }
    this.everUp ||= this.ready;
  }

  /** Ends it and waits for that; the engine's patience is the limit. */
  async stop(): Promise<void> {
    this.stopping = true;
    const child = this.process;
    if (!child) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    await ended;
  }

  private ended(child: ChildProcess, details: Readonly<Record<string, unknown>>): void {
    if (this.process !== child) return;
    this.process = undefined;
    this.ready = false;
    log(`${this.name} ended`, details);
    if (this.stopping) return;
    this.onUnaskedEnd(this.name);
    this.quick = performance.now() - this.started < quickMs ? this.quick + 1 : 0;
    const delay = restartDelay({ quick: this.quick, everUp: this.everUp });
    if (delay === undefined) {
      log(`${this.name} ended ${this.quick} times and never answered: giving up`);
      process.exit(1);
    }
    setTimeout(() => this.start(), delay);
  }
}
