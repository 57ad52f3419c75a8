import { readFileSync } from "node:fs";
import os from "node:os";
import type { LiveStack } from "./liveStack";

/** What the kernel tells of time in which something waited: for processor, disk, memory. */
const resources = ["cpu", "io", "memory"] as const;
type Pressure = Readonly<Record<(typeof resources)[number] | "stolen", number>>;

/** What the kernel tells in that file; empty where it has none. */
function told(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Microseconds so far: of waiting, and of processor time that went to other guests of the host. */
export function pressure(): Pressure {
  const waited = (resource: string) =>
    Number(/^some .*total=(\d+)/m.exec(told(`/proc/pressure/${resource}`))?.[1] ?? 0);
  const [, ...jiffies] = told("/proc/stat").split("\n", 1)[0]?.split(/\s+/) ?? [];
  const stolen = (Number(jiffies[7] ?? 0) * 10_000) / os.availableParallelism();
  return { cpu: waited("cpu"), io: waited("io"), memory: waited("memory"), stolen };
}

const worthReading = `grep -vE '"level":"(info|debug)"'`;

/** Tiers whose logs tell why requests failed, and what to look for in their lines. */
const filters: Readonly<Record<string, string>> = {
  loadBalancer: `grep -E '^[0-9:.]+ Server .* is (UP|DOWN)|"time_total_ms":([2-9][0-9]{3}|[0-9]{5,})'`,
  appPool: worthReading,
  mysqlCluster: worthReading,
};
/** From the engine's time stamp to the time of day with milliseconds. */
const timeOfDay = "sed -E 's/^[^T]*T([0-9:.]{12})[^ ]* /\\1 /'";

/** What nodes logged in that time, and how busy this host was: for the message of a failed test. */
export async function evidence(
  stack: LiveStack,
  before: Pressure,
  from: number,
  to: number,
): Promise<string> {
  const after = pressure();
  const share = (resource: keyof Pressure) =>
    `${resource} ${((after[resource] - before[resource]) / (to - from) / 10).toFixed(0)} %`;
  const { nodes } = await stack.outputs();
  const period = `--since ${new Date(from).toISOString()} --until ${new Date(to).toISOString()}`;
  const logs = Object.entries(filters).flatMap(([tier, filter]) =>
    Object.entries(nodes[tier] ?? {}).map(async ([node, { machine }]) => {
      const { stdout } = await stack.on(
        machine,
        `docker logs --timestamps ${period} ${node} 2>&1 | ${timeOfDay} | ${filter} | tail -n 40 | cut -c1-400`,
      );
      return [`${node}:`, ...stdout.trim().split("\n")].join("\n  ");
    }),
  );
  return [
    `time in which something waited on this host: ${resources.map(share).join(", ")}; ${share("stolen")}`,
    ...(await Promise.all(logs)),
  ].join("\n");
}
