import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Fault } from "../faults/fault";
import { AlertWatch } from "./alertWatch";
import { DataStack } from "./dataStack";
import { Figures } from "./figures";
import { toldBy } from "./mails";
import { eventually } from "./measure";
import { statusOf } from "./members";
import { machineOf, MonitoredStack } from "./monitoredStack";
import type { Page } from "./pages";

/** A time in seconds, and why it is not the usual one. */
export interface Limit {
  readonly seconds: number;
  readonly because: string;
}

/** Alerts that may be told too, each with its reason. */
type Companions = Readonly<Record<string, string>>;

/** An alert, and the fault that causes it on a live stack. */
export interface LiveCase {
  readonly alert: string;
  readonly fault: (lab: AlertLab) => Promise<Fault>;
  /** Until it is told, from when the fault is there. Default: a minute. */
  readonly within?: Limit;
  /** Until its end is told, from when the repair is begun. Default: two minutes. */
  readonly overWithin?: Limit;
  /** What else is told while the fault lasts. */
  readonly alongside?: Companions;
  /** What else may be told while things come back. */
  readonly afterwards?: Companions;
  /** Members that must be ready again. */
  readonly nodes?: readonly string[];
  /** The fault is that the webhook is away: only mail tells of it until it is back. */
  readonly byMailAlone?: boolean;
}

/** The bar: somebody is told within a minute. */
const toldWithinSeconds = 60;
const overWithinSeconds = 120;
/** Monitors of the stack that the cases stand on. */
const alertmanagers = 2;
/** Longer than Alertmanager waits before the first message of what has begun to fire. */
const firstMessageMs = 12_000;
/** Where things change all the time, as they do at an edge that blinks, there is no calm. */
const calmWithinMs = 25_000;

/** A case that is under way, or was. */
interface Turn {
  readonly names: ReadonlySet<string>;
  readonly from: number;
  to: number | undefined;
}

const firingIn = ({ alerts }: Page) =>
  alerts.filter(({ status }) => status === "firing").map(({ labels }) => labels["alertname"] ?? "");

/** The live stack on which alerts are proven to fire. */
export class AlertLab {
  readonly data: DataStack;
  readonly monitored: MonitoredStack;
  private readonly turns: Turn[] = [];
  private watching: AlertWatch | undefined;

  constructor(
    name: string,
    network: string,
    settings: Readonly<Record<string, unknown>>,
    readonly figures = new Figures(name),
  ) {
    this.data = new DataStack(name, network, figures, settings);
    this.monitored = new MonitoredStack(this.data.stack, network);
  }

  async up(): Promise<void> {
    await this.monitored.listen();
    await this.data.up();
    await this.monitored.learn();
    this.watching = new AlertWatch(this.monitored.monitors);
  }

  async down(): Promise<void> {
    await this.watching?.stop();
    await this.monitored.close();
    await this.data.down();
  }

  get stack() {
    return this.data.stack;
  }

  get watch(): AlertWatch {
    if (!this.watching) throw new Error("the stack is not up yet");
    return this.watching;
  }

  /** Machines of the load balancers. */
  readonly balancers = ["lb-a", "lb-b"].map((node) => ({ node, machine: machineOf(node) }));

  /** An address at the edge. */
  edge(path: string): string {
    return `http://${this.monitored.outputs.vip}${path}`;
  }

  /** Nothing is wrong, and nothing is about to be: no alert fires or waits to. */
  async allQuiet(seconds: number, except: ReadonlySet<string> = new Set()): Promise<void> {
    await this.watch.fresh();
    await eventually("no alert fires or waits to", seconds, () =>
      Promise.resolve(
        this.watch
          .now()
          .every((alerts) => alerts?.every(({ alert }) => except.has(alert)) ?? false),
      ),
    );
  }

  /**
   * Causes the fault, sees it told once by webhook and by mail, repairs it, and sees its end told.
   * Cases may overlap: each answers for its own alerts.
   */
  async prove(live: LiveCase): Promise<void> {
    const { alongside = {}, afterwards = {} } = live;
    const names = new Set([live.alert, ...Object.keys({ ...alongside, ...afterwards })]);
    await this.inTurn(names, async (turn) => {
      await this.allQuiet(300, this.others(turn));
      const fault = await live.fault(this);
      const begun = Date.now();
      const healing = await this.whileBroken(fault, () => this.seeTold(live, fault, turn, begun));
      if (live.byMailAlone) {
        await eventually("the webhook that is back tells of it too", 60, () =>
          Promise.resolve(this.monitored.sink.first(healing, live.alert) !== undefined),
        );
      }
      await this.seeOver(live, healing);
      await this.allQuiet(300, this.others(turn));
      this.judge(live, turn, begun, healing);
    });
  }

  /** Runs a case in which these alerts are expected; its failure tells what was seen. */
  async inTurn(names: ReadonlySet<string>, run: (turn: Turn) => Promise<void>): Promise<void> {
    const turn: Turn = { names, from: Date.now(), to: undefined };
    this.turns.push(turn);
    try {
      await run(turn);
    } catch (error) {
      // In its own message, so that what differs is still shown.
      if (error instanceof Error) error.message += `\n${this.evidence(turn.from)}`;
      throw error;
    } finally {
      turn.to = Date.now();
    }
  }

  /** Injects, looks, and heals whatever was seen; when the repair began. */
  async whileBroken(fault: Fault, look: () => Promise<void>): Promise<number> {
    const failures: unknown[] = [];
    await fault
      .inject(this.stack)
      .then(look)
      .catch((error: unknown) => failures.push(error));
    const healing = Date.now();
    await fault.heal(this.stack).catch((error: unknown) => failures.push(error));
    // What went wrong first is the reason for the rest.
    if (failures.length > 0) throw failures[0];
    return healing;
  }

  /** What every monitor said since a moment, and what was told. */
  evidence(since: number): string {
    const after = (at: number) => `${((at - since) / 1000).toFixed(1)} s`;
    const { sink, mails } = this.monitored;
    const pages = sink
      .since(since)
      .filter(({ path }) => path !== "/alive")
      .map(({ at, status, alerts }) => {
        const each = alerts.map(({ status: state, labels }) => {
          const { alertname, node, machine } = labels;
          return [alertname, node ?? machine, state].filter(Boolean).join(" ");
        });
        return `${after(at)} ${status}: ${each.join(", ")}`;
      });
    const post = mails.mails
      .filter(({ at }) => at >= since)
      .map(({ at, subject }) => `${after(at)} ${subject}`);
    const pings = sink.since(since).filter(({ path }) => path === "/alive");
    const part = (title: string, lines: readonly string[]) => [`${title}:`, ...lines].join("\n  ");
    return [
      part("alerts that the monitors saw", this.watch.told(since)),
      part("by webhook", pages),
      part("by mail", post),
      part(
        "dead man's switch",
        pings.map(({ at }) => after(at)),
      ),
    ].join("\n");
  }

  /** Alerts that cases which overlap with this one answer for. */
  private others(turn: Turn): ReadonlySet<string> {
    const overlapping = this.turns.filter(
      (other) => other !== turn && (other.to === undefined || other.to >= turn.from),
    );
    const names = overlapping.flatMap((other) => [...other.names]);
    return new Set(names.filter((name) => !turn.names.has(name)));
  }

  private async seeTold(live: LiveCase, fault: Fault, turn: Turn, begun: number): Promise<void> {
    const { alert, byMailAlone = false } = live;
    const { seconds } = live.within ?? { seconds: toldWithinSeconds };
    const { sink, mails } = this.monitored;
    await eventually(`${alert} is told of ${fault.name}`, seconds, () =>
      Promise.resolve(
        mails.subjects(begun, alert, "firing").length > 0 &&
          (byMailAlone || sink.first(begun, alert) !== undefined),
      ),
    );
    const first = byMailAlone ? Date.now() : (sink.first(begun, alert)?.at ?? NaN);
    const what = `${alert} (${fault.name}): told after`;
    this.figures.record(what, (first - begun) / 1000, "s", `${seconds} s once it is there`);
    await this.calm(turn);
  }

  /** Waits until nothing waits to fire, and all that fires would have been told. */
  private async calm(turn: Turn): Promise<void> {
    const others = this.others(turn);
    const latest = Date.now() + calmWithinMs;
    await this.watch.fresh();
    const calm = () =>
      Date.now() - this.watch.changedAt(others) > firstMessageMs &&
      this.watch
        .now()
        .every((alerts = []) =>
          alerts.every(({ alert, state }) => state === "firing" || others.has(alert)),
        );
    while (Date.now() < latest && !calm()) await sleep(300);
  }

  private async seeOver(live: LiveCase, healing: number): Promise<void> {
    const { alert, nodes = [] } = live;
    const { seconds } = live.overWithin ?? { seconds: overWithinSeconds };
    const { sink, mails } = this.monitored;
    await eventually(`the end of ${alert} is told`, seconds, () =>
      Promise.resolve(
        sink.alertsSince(healing, "resolved").includes(alert) &&
          mails.mails.some((mail) => {
            const told = toldBy(mail);
            return mail.at >= healing && told?.alert === alert && told.status === "resolved";
          }),
      ),
    );
    this.figures.record(`${alert}: end told after`, (Date.now() - healing) / 1000, "s");
    await Promise.all(
      nodes.map((node) =>
        eventually(`${node} is ready`, 120, async () => {
          return (await statusOf(this.stack, { node, machine: machineOf(node) }))?.ready === true;
        }),
      ),
    );
  }

  /** One fault is one page: told once, and of nothing else. */
  private judge(live: LiveCase, turn: Turn, begun: number, healing: number): void {
    const { alert, alongside = {}, afterwards = {}, byMailAlone = false } = live;
    const { sink, mails } = this.monitored;
    const pages = sink.since(begun).filter(({ path }) => path !== "/alive");
    const firing = mails.mails.flatMap((mail) => {
      const told = toldBy(mail);
      return mail.at >= begun && told?.status === "firing" ? [{ at: mail.at, ...told }] : [];
    });
    const told = [
      ...pages.flatMap((page) => firingIn(page).map((name) => ({ at: page.at, alert: name }))),
      ...firing,
    ];
    const others = this.others(turn);
    const unexpected = (during: readonly { alert: string }[], allowed: Companions) => [
      ...new Set(
        during
          .map((each) => each.alert)
          .filter((name) => name !== alert && !others.has(name) && !(name in allowed)),
      ),
    ];
    const before = <T extends { at: number }>(each: readonly T[]) =>
      each.filter(({ at }) => at < healing);
    const after = <T extends { at: number }>(each: readonly T[]) =>
      each.filter(({ at }) => at >= healing);
    const both = { ...alongside, ...afterwards };
    // A message in which something is over and something is not is part of the end.
    const again = after(pages).filter(
      (page) => page.status === "firing" && page.alerts.every(({ status }) => status === "firing"),
    );
    const ownMails = firing.filter((mail) => mail.alert === alert);
    const ownPages = pages.filter((page) => firingIn(page).includes(alert));
    // Each Alertmanager keeps trying what could not be delivered and learns only when it begins what
    // the other has delivered: a webhook that is back hears it at least once, and once from each.
    const late = byMailAlone ? alertmanagers : 0;
    const toldAgain = again.filter((page) => firingIn(page).includes(alert)).length;
    expect(toldAgain, "messages that firing was told again").toBeLessThanOrEqual(late);
    expect({
      toldElse: unexpected(before(told), alongside),
      toldElseAtTheEnd: unexpected(after(told), both),
      pages: before(ownPages).length,
      mails: before(ownMails).length,
    }).toEqual({
      toldElse: [],
      toldElseAtTheEnd: [],
      pages: byMailAlone ? 0 : 1,
      mails: 1,
    });
  }
}
