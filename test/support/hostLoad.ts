import { readFileSync } from "node:fs";

/** What this computer had done so far, in ms: its processors together, and what waited. */
export interface HostSample {
  /** Epoch ms. */
  readonly at: number;
  readonly idle: number;
  readonly waitingForDisk: number;
  /** Went to other guests of the same host. */
  readonly stolen: number;
  readonly all: number;
  /** Time in which at least one task waited for a processor, or for the disk. */
  readonly cpuPressure: number;
  readonly ioPressure: number;
}

const everyMs = 5000;
const kept = (2 * 3600 * 1000) / everyMs;
const samples: HostSample[] = [];
let timer: NodeJS.Timeout | undefined;

/** From here on this computer is watched: a failed test says how busy it was. */
export function watchHost(): void {
  if (timer) return;
  const sample = () => {
    samples.push(takeSample());
    if (samples.length > kept) samples.shift();
  };
  sample();
  timer = setInterval(sample, everyMs);
  timer.unref();
}

/** How busy this computer was from `from` to `to` (epoch ms), for people. */
export function hostLoad(from: number, to: number): string {
  return describeHost(
    samples.filter(({ at }) => at >= from - 2 * everyMs && at <= to + everyMs),
    everyMs / 1000,
  );
}

/** Averages over the samples, and the worst of what lies between two of them. */
export function describeHost(all: readonly HostSample[], seconds: number): string {
  const [first] = all;
  const last = all.at(-1);
  if (!first || !last || first === last) return "this computer was not watched";
  const steps = all.slice(1).map((after, n) => ({ before: all[n] ?? first, after }));
  const figures: readonly [string, (before: HostSample, after: HostSample) => number][] = [
    ["busy", (a, b) => 1 - share(a, b, "idle") - share(a, b, "waitingForDisk")],
    ["idle for the disk", (a, b) => share(a, b, "waitingForDisk")],
    ["stolen", (a, b) => share(a, b, "stolen")],
    ["tasks waiting for a processor", (a, b) => pressed(a, b, "cpuPressure")],
    ["for the disk", (a, b) => pressed(a, b, "ioPressure")],
  ];
  const texts = figures.map(([name, of]) => {
    const worst = steps.reduce(
      (most, { before, after }) => {
        const value = of(before, after);
        return value > most.value ? { value, at: before.at } : most;
      },
      { value: -1, at: first.at },
    );
    const time = new Date(worst.at).toISOString().slice(11, 19);
    return `${name} ${percent(of(first, last))} (${percent(worst.value)} at ${time})`;
  });
  return `this computer, on average (most in ${seconds} s): ${texts.join(", ")}`;
}

type Share = "idle" | "waitingForDisk" | "stolen";

function share(before: HostSample, after: HostSample, of: Share): number {
  return (after[of] - before[of]) / Math.max(1, after.all - before.all);
}

function pressed(before: HostSample, after: HostSample, of: "cpuPressure" | "ioPressure"): number {
  return (after[of] - before[of]) / Math.max(1, after.at - before.at);
}

function percent(value: number): string {
  return `${(100 * value).toFixed(0)} %`;
}

/** Zeros where the kernel does not tell. */
function takeSample(): HostSample {
  const waited = (resource: string) =>
    Number(/^some .*total=(\d+)/m.exec(told(`/proc/pressure/${resource}`))?.[1] ?? 0) / 1000;
  const [, ...fields] = told("/proc/stat").split("\n", 1)[0]?.split(/\s+/) ?? [];
  // user nice system idle iowait irq softirq steal, in hundredths of a second.
  const ms = fields.slice(0, 8).map((field) => Number(field) * 10);
  return {
    at: Date.now(),
    idle: ms[3] ?? 0,
    waitingForDisk: ms[4] ?? 0,
    stolen: ms[7] ?? 0,
    all: ms.reduce((sum, each) => sum + each, 0),
    cpuPressure: waited("cpu"),
    ioPressure: waited("io"),
  };
}

/** What the kernel tells in that file; empty where it has none. */
function told(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
