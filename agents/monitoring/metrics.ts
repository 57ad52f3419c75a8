import { Counter, Gauge, Registry } from "prom-client";
import type { Page } from "../server";
import type { Seen } from "./readiness";

/** Metrics of a monitoring node's agent. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly ready = this.gauge("ready", "Every program of the node is ready.");
  private readonly draining = this.gauge("draining", "The node is about to stop.");
  private readonly programReady = this.gauge("program_ready", "The program is ready.", ["program"]);
  private readonly restarts = new Counter({
    name: "holdfast_monitoring_restarts_total",
    help: "Unasked ends, by program.",
    labelNames: ["program"],
    registers: [this.registry],
  });

  restarted(program: string): void {
    this.restarts.inc({ program });
  }

  async page(
    state: { readonly ready: boolean; readonly draining: boolean },
    programs: readonly Seen[],
  ): Promise<Page> {
    this.ready.set(state.ready ? 1 : 0);
    this.draining.set(state.draining ? 1 : 0);
    for (const { name, ready } of programs) {
      this.programReady.set({ program: name }, ready ? 1 : 0);
      this.restarts.inc({ program: name }, 0);
    }
    return {
      status: 200,
      type: this.registry.contentType,
      body: await this.registry.metrics(),
    };
  }

  private gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({
      name: `holdfast_monitoring_${name}`,
      help,
      labelNames,
      registers: [this.registry],
    });
  }
}
