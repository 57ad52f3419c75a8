import { setTimeout as sleep } from "node:timers/promises";
import { activeAlerts, type Queried } from "./prometheus";

/** An alert and how far it is. */
export interface AlertSeen {
  readonly alert: string;
  readonly state: "pending" | "firing";
}

/** What a monitor said of its alerts when that changed. Undefined: it did not answer. */
interface Change {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly monitor: Queried;
  readonly alerts: readonly AlertSeen[] | undefined;
}

/** On while all is well. */
const alwaysOn = "Watchdog";

const textOf = (alerts: readonly AlertSeen[] | undefined) =>
  alerts === undefined
    ? "does not answer"
    : alerts.map(({ alert, state }) => `${alert} ${state}`).join(", ") || "nothing";

async function alertsOf(monitor: Queried): Promise<readonly AlertSeen[] | undefined> {
  try {
    // Not by a query: that would see for minutes what fired when a monitor was replaced.
    const seen = (await activeAlerts(monitor)).map(({ labels, state }) =>
      [labels["alertname"], state].join(" "),
    );
    return [...new Set(seen)].sort().flatMap((text) => {
      const [alert = "", state] = text.split(" ");
      if (alert === alwaysOn) return [];
      return [{ alert, state: state === "firing" ? "firing" : "pending" } as const];
    });
  } catch {
    return undefined;
  }
}

/** Looks at the alerts of every monitor each second and keeps what changed. */
export class AlertWatch {
  private readonly changes: Change[] = [];
  private readonly latest = new Map<Queried, Change>();
  private readonly stopping = new AbortController();
  private readonly looking: Promise<unknown>;
  private looks = 0;

  constructor(private readonly monitors: readonly Queried[]) {
    this.looking = Promise.all(monitors.map((monitor) => this.look(monitor)));
  }

  /** What each monitor says now; undefined for one that does not answer. */
  now(): readonly (readonly AlertSeen[] | undefined)[] {
    return this.monitors.map((monitor) => this.latest.get(monitor)?.alerts);
  }

  /** When any of them last said something else than before of other alerts than these; 0: never. */
  changedAt(except: ReadonlySet<string>): number {
    const last = this.monitors.map((monitor) => {
      let text: string | undefined;
      let at = 0;
      for (const change of this.changes) {
        if (change.monitor !== monitor) continue;
        const now = textOf(change.alerts?.filter(({ alert }) => !except.has(alert)));
        if (text !== undefined && now !== text) at = change.at;
        text = now;
      }
      return at;
    });
    return Math.max(...last);
  }

  /** Waits until every monitor has been looked at twice: what is said then was said after the call. */
  async fresh(): Promise<void> {
    const enough = this.looks + 2 * this.monitors.length;
    while (this.looks < enough) await sleep(100);
  }

  /** Whether an alert has been in that state since a moment. */
  was(state: AlertSeen["state"], alert: string, since: number): boolean {
    const current = this.now().flatMap((alerts) => alerts ?? []);
    const before = this.changes.filter(({ at }) => at >= since);
    return [...current, ...before.flatMap(({ alerts }) => alerts ?? [])].some(
      (seen) => seen.alert === alert && seen.state === state,
    );
  }

  /** What the monitors said since a moment, a line a change. */
  told(since: number): readonly string[] {
    return this.changes
      .filter(({ at }) => at >= since)
      .map(
        ({ at, monitor, alerts }) =>
          `${((at - since) / 1000).toFixed(1)} s ${monitor.url}: ${textOf(alerts)}`,
      );
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.looking;
  }

  private async look(monitor: Queried): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const alerts = await alertsOf(monitor);
      const change = { at: Date.now(), monitor, alerts };
      const before = this.latest.get(monitor);
      this.latest.set(monitor, change);
      if (!before || textOf(before.alerts) !== textOf(alerts)) this.changes.push(change);
      this.looks += 1;
      await sleep(1000, undefined, { signal }).catch(() => undefined);
    }
  }
}
