import { Counter, Gauge, Registry } from "prom-client";
import { behindSeconds, statusOf, type Facts } from "./status";

/** Metrics of the backup node. */
export class Metrics {
  private readonly registry = new Registry();
  readonly fulls = this.counter("fulls_total", "Full backups that were begun, by result.", [
    "result",
  ]);
  readonly stores = this.counter("stores_total", "Times that binary logs were stored, by result.", [
    "result",
  ]);
  readonly histories = this.counter(
    "histories_total",
    "Times that what was received could not be continued, the first start included.",
  );
  private readonly ready = this.gauge("ready", "The store is open.");
  private readonly receiving = this.gauge("receiving", "Binary logs are being received.");
  private readonly behind = this.gauge(
    "behind_seconds",
    "Seconds of which something may be missing in the store.",
  );
  private readonly failing = this.gauge("failing", "Something is wrong; the log says what.");
  private readonly lastFull = this.gauge(
    "last_full_timestamp_seconds",
    "Time of the last full backup; absent where there is none.",
  );
  readonly lastError = this.gauge("last_error_timestamp_seconds", "Time of the last problem.");
  readonly fullSeconds = this.gauge("full_seconds", "Seconds that the last full backup took.");
  readonly fullBytes = this.gauge("full_bytes", "Size of the last full backup as SQL.");
  private readonly received = this.counter("received_transactions_total", "Transactions received.");
  private readonly interruptions = this.counter(
    "interruptions_total",
    "Connections to the primary that ended unasked.",
  );

  constructor() {
    for (const result of ["success", "failure"]) {
      this.fulls.inc({ result }, 0);
      this.stores.inc({ result }, 0);
    }
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** All metrics as text. */
  text(facts: Facts, received: number, interruptions: number): Promise<string> {
    const { ready, receiving } = statusOf(facts);
    this.ready.set(ready ? 1 : 0);
    this.receiving.set(receiving ? 1 : 0);
    this.failing.set(facts.problem === undefined ? 0 : 1);
    this.behind.set(behindSeconds(facts));
    if (facts.lastFullAt === undefined) this.lastFull.remove();
    else this.lastFull.set(facts.lastFullAt / 1000);
    for (const [counter, value] of [
      [this.received, received],
      [this.interruptions, interruptions],
    ] as const) {
      counter.reset();
      counter.inc(value);
    }
    return this.registry.metrics();
  }

  private gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `holdfast_backup_${name}`, help, registers: [this.registry] });
  }

  private counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({
      name: `holdfast_backup_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
    });
  }
}
