import { readFileSync, rmSync } from "node:fs";
import type { MonitoringAgentView } from "../../model/views";
import { log, writeWhole } from "../io";
import { json, serve } from "../server";
import { Metrics } from "./metrics";
import { authorityFile, healthFile } from "./paths";
import { Program } from "./program";
import { readiness } from "./readiness";
import { startReader } from "./reader";

const probeIntervalMs = 1000;
const healthIntervalMs = 2000;

/** Runs the programs of a monitoring node, and answers queries for all of them. */
export class Agent {
  private readonly programs: readonly Program[];
  private readonly authority = readFileSync(authorityFile, "utf8");
  private readonly metrics = new Metrics();
  private draining = false;

  constructor(private readonly view: MonitoringAgentView) {
    this.programs = view.programs.map(
      (program) => new Program(program, this.authority, (name) => this.metrics.restarted(name)),
    );
  }

  /** Runs until SIGTERM. */
  run(): void {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => void this.drain());
    }
    // Left behind where the same container starts again.
    rmSync(healthFile, { force: true });
    const { address, agentPort: port, tls } = this.view;
    serve(
      { address, port, tls },
      {
        "/status": () => json(200, this.status()),
        "/metrics": () => this.metrics.page(this.status(), this.programs),
      },
    );
    startReader(this.view, this.authority);
    for (const program of this.programs) program.start();
    setInterval(() => void this.probe(), probeIntervalMs);
    setInterval(() => this.writeHealth(), healthIntervalMs);
    log("started", { node: this.view.node });
  }

  private status() {
    const { ready, reason } = readiness(this.draining, this.programs);
    return { node: this.view.node, ready, draining: this.draining, reason };
  }

  private async probe(): Promise<void> {
    if (this.draining) return;
    await Promise.all(this.programs.map((program) => program.probe()));
  }

  private writeHealth(): void {
    const { reason } = this.status();
    writeWhole(healthFile, `${reason ?? "ok"}\n`);
  }

  /** In order: first no new alerts come, then those that came are sent. */
  private async drain(): Promise<void> {
    if (this.draining) return;
    this.draining = true;
    log("stopping");
    for (const program of this.programs) await program.stop();
    log("stopped");
    process.exit(0);
  }
}
