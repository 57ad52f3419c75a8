import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { projectRoot } from "../../model/rendering";
import { dataScenarios } from "./chaosData";
import { webScenarios } from "./chaosWeb";

/** What one repetition showed: figures by name. */
export type Sample = Readonly<Record<string, number>>;

/** A fault that is repeated on a live stack, and what may come of it each time. */
export interface Scenario<Stage = unknown> {
  readonly name: string;
  readonly repetitions: number;
  /** The most that a figure may be, each time. */
  readonly bars: Sample;
  /** Breaks once, repairs, and measures. */
  readonly once: (stage: Stage, repetition: number) => Promise<Sample>;
}

interface Spread {
  readonly median: number;
  readonly max: number;
}

/** Result of a scenario, as kept in docs/chaos.json. */
export interface ChaosResult {
  readonly at: string;
  readonly repetitions: number;
  readonly bars: Sample;
  readonly figures: Readonly<Record<string, Spread>>;
}

const resultFile = path.join(projectRoot, "docs", "chaos.json");

interface ChaosFile {
  readonly machine: { readonly cpus: number; readonly model: string; readonly memory: string };
  readonly scenarios: Readonly<Record<string, ChaosResult>>;
}

/** Results so far; empty before the first run. */
export function chaosResults(): Readonly<Record<string, ChaosResult>> {
  try {
    return (JSON.parse(readFileSync(resultFile, "utf8")) as ChaosFile).scenarios;
  } catch {
    return {};
  }
}

/** Scenarios with the oldest result first, those without one before all. */
export function oldestFirst<Stage>(
  scenarios: readonly Scenario<Stage>[],
  results: Readonly<Record<string, { readonly at: string }>>,
): Scenario<Stage>[] {
  const at = ({ name }: Scenario<Stage>) => results[name]?.at ?? "";
  return [...scenarios].sort((a, b) => at(a).localeCompare(at(b)));
}

/** Bars that a sample misses, for people; none where it holds all. A missing figure misses its bar. */
export function missed({ bars }: Pick<Scenario, "bars">, sample: Sample): string[] {
  return Object.entries(bars).flatMap(([name, most]) => {
    const value = sample[name];
    return value !== undefined && value <= most
      ? []
      : [`${name}: found ${value ?? "nothing"}, allowed: at most ${most}`];
  });
}

/** Median and most of each figure. */
export function spreads(samples: readonly Sample[]): Readonly<Record<string, Spread>> {
  const names = [...new Set(samples.flatMap(Object.keys))];
  const round = (value: number) => Math.round(value * 1000) / 1000;
  return Object.fromEntries(
    names.map((name) => {
      const sorted = samples.flatMap((sample) => sample[name] ?? []).sort((a, b) => a - b);
      const median = round(sorted[Math.floor(sorted.length / 2)] ?? 0);
      return [name, { median, max: round(sorted.at(-1) ?? 0) }];
    }),
  );
}

/** Keeps a scenario's result in docs/chaos.json. */
export function keepResult(
  { name, bars }: Pick<Scenario, "name" | "bars">,
  samples: readonly Sample[],
): void {
  const result: ChaosResult = {
    at: new Date().toISOString(),
    repetitions: samples.length,
    bars,
    figures: spreads(samples),
  };
  const file: ChaosFile = {
    machine: {
      cpus: os.cpus().length,
      model: os.cpus()[0]?.model ?? "unknown",
      memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    },
    scenarios: { ...chaosResults(), [name]: result },
  };
  writeFileSync(resultFile, `${JSON.stringify(file, null, 2)}\n`);
}

const progressFolder = path.join(projectRoot, ".build", "chaos");
const progressFile = ({ name }: Pick<Scenario, "name">) =>
  path.join(progressFolder, `${name.replace(/\W+/g, "-")}.json`);

/** Samples of an unfinished run, so that a run that was cut off goes on where it was. */
export function unfinished(scenario: Pick<Scenario, "name">): Sample[] {
  try {
    return JSON.parse(readFileSync(progressFile(scenario), "utf8")) as Sample[];
  } catch {
    return [];
  }
}

/** Remembers samples of an unfinished run; an empty list forgets them. */
export function keepUnfinished(scenario: Pick<Scenario, "name">, samples: readonly Sample[]): void {
  if (samples.length === 0) return rmSync(progressFile(scenario), { force: true });
  mkdirSync(progressFolder, { recursive: true });
  writeFileSync(progressFile(scenario), JSON.stringify(samples));
}

/** The scenarios by the stack that they need. */
export const scenarios = { web: webScenarios, data: dataScenarios };
