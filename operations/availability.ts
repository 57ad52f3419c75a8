import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { renderPage } from "../model/availabilityPage";
import { renderJson, renderText, reportOf } from "../model/availabilityReport";
import {
  bridgedSeconds,
  slotsOf,
  type MonitorSeries,
  type Sample,
} from "../model/availabilitySeries";
import { projectRoot } from "../model/rendering";
import { objective, periodDays, slotSeconds } from "../model/slo";
import { runIfProgram, say, variable, words } from "./command";
import { readSettings, requireState, stackFromEnvironment } from "./pulumi";
import { ssh, type SshTarget } from "./ssh";
import { gatesOfTier, machineOf } from "./stackState";

/** The time that is asked about, in seconds since 1970. */
export interface Window {
  readonly from: number;
  readonly to: number;
  /** True where it begins with the records, if these are shorter. */
  readonly clipped: boolean;
}

const units: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400, w: 604_800 };

/**
 * The window in `ARGS`: nothing (30 days), a length up to now (`7d`, `12h`), or two ISO times.
 * Throws on anything else.
 */
export function windowOf(args: readonly string[], now: number): Window {
  const [first = `${periodDays}d`, second, ...more] = args;
  const wrong = () =>
    new Error(
      `ARGS: found ${args.join(" ")}, allowed: a length such as 7d or 12h, or two times such as 2026-11-01T00:00Z 2026-11-08T00:00Z, the earlier first`,
    );
  if (more.length > 0) throw wrong();
  if (second === undefined) {
    const [, count = "", unit = ""] = /^(\d+)([mhdw])$/.exec(first) ?? [];
    const length = Number(count) * (units[unit] ?? 0);
    if (length === 0) throw wrong();
    return { from: now - length, to: now, clipped: true };
  }
  const [from, to] = [first, second].map((text) => Date.parse(text) / 1000);
  if (from === undefined || to === undefined || !(from < to) || from >= now) throw wrong();
  return { from, to: Math.min(to, now), clipped: false };
}

const chunkSeconds = 86_400;

/** Parts of a window of at most a day, each by its end and its length in seconds. */
export function chunksOf({ from, to }: Window): readonly { end: number; length: number }[] {
  const count = Math.ceil((to - from) / chunkSeconds);
  return Array.from({ length: count }, (_, index) => {
    const end = Math.min(to, from + (index + 1) * chunkSeconds);
    return { end, length: Math.ceil(end - (from + index * chunkSeconds)) };
  });
}

const names = { down: "slo:down:bool", planned: "slo:planned:bool" } as const;

/** What Prometheus answers to a query for both series. */
export function parseSeries(json: string): MonitorSeries {
  const answer = JSON.parse(json) as {
    data: { result: { metric: { __name__?: string }; values: [number, string][] }[] };
  };
  const found = answer.data.result;
  const samples = (name: string): readonly Sample[] =>
    found
      .filter(({ metric }) => metric.__name__ === name)
      .flatMap(({ values }) => values.map(([at, value]): Sample => [at, Number(value)]));
  return { down: samples(names.down), planned: samples(names.planned) };
}

interface Monitor {
  readonly node: string;
  readonly machine: SshTarget;
}

/** What one Prometheus recorded in the window. Throws where it does not answer. */
async function recorded({ node, machine }: Monitor, window: Window): Promise<MonitorSeries> {
  const parts: MonitorSeries[] = [];
  for (const { end, length } of chunksOf(window)) {
    const query = `{__name__=~"${names.down}|${names.planned}"}[${length}s]`;
    const { exitCode, stdout, stderr } = await ssh(
      machine,
      `docker exec ${node} query ${end} '${query}'`,
      { timeoutSeconds: 60 },
    );
    if (exitCode !== 0) throw new Error(`${node} does not answer: ${stderr.trim() || stdout}`);
    parts.push(parseSeries(stdout));
  }
  return {
    down: parts.flatMap(({ down }) => down),
    planned: parts.flatMap(({ planned }) => planned),
  };
}

const nextSlot = (at: number) => (Math.floor(at / slotSeconds) + 1) * slotSeconds;

/**
 * The part of a window up to now that is recorded: it begins with the records, if these are shorter,
 * and its newest slots may not have been evaluated yet. Undefined where nothing is recorded.
 */
export function recordedPart(
  { from, to }: Window,
  monitors: readonly MonitorSeries[],
): { readonly from: number; readonly to: number } | undefined {
  const times = monitors.flatMap(({ down }) => down.map(([at]) => at));
  if (times.length === 0) return undefined;
  const [first, last] = times.reduce(
    ([least, most], at) => [Math.min(least, at), Math.max(most, at)],
    [Infinity, -Infinity],
  );
  return {
    from: Math.max(from, first),
    // The end of the slot that the last sample is in.
    to: to - last > bridgedSeconds ? to : Math.min(to, nextSlot(last)),
  };
}

/** Says how available the stack was, and writes the report as JSON and as a page. */
async function main(): Promise<void> {
  const window = windowOf(words(variable("ARGS") ?? ""), Math.floor(Date.now() / 1000));
  const stack = stackFromEnvironment();
  const state = await requireState(stack);
  const { slo } = await readSettings(stack);
  const monitors = gatesOfTier(state, "monitoring").map((spec): Monitor => ({
    node: spec.node,
    machine: machineOf(spec),
  }));
  if (monitors.length === 0) {
    throw new Error(
      `stack ${stack.reference} has no monitoring: set holdfast:monitoring.count to 2 and run make up`,
    );
  }
  const answers = await Promise.allSettled(monitors.map((monitor) => recorded(monitor, window)));
  const series = answers.flatMap((answer) => {
    if (answer.status === "fulfilled") return [answer.value];
    say(answer.reason instanceof Error ? answer.reason.message : String(answer.reason));
    return [];
  });
  if (series.length === 0) throw new Error("no monitor answers; see make repair");
  const part = recordedPart(window, series);
  if (part === undefined) throw new Error("nothing is recorded for that time");
  const { from, to } = window.clipped ? part : window;
  if (from > window.from) say("the records are shorter than the time that was asked about");
  const report = reportOf(stack.name, slotsOf(from, to, series), objective(slo, "availability"));
  console.log(renderText(report));
  const folder = path.join(projectRoot, "reports");
  mkdirSync(folder, { recursive: true });
  for (const [kind, text] of [
    ["json", renderJson(report)],
    ["html", renderPage(report)],
  ] as const) {
    const file = path.join(folder, `availability-${stack.name}.${kind}`);
    writeFileSync(file, text);
    say(`written: ${path.relative(projectRoot, file)}`);
  }
}

runIfProgram(import.meta.url, main);
