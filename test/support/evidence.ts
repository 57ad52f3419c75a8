import type { LiveStack } from "./liveStack";

const worthReading = `grep -vE '"level":"(info|debug)"'`;

/** Tiers whose logs tell why requests failed, and what to look for in their lines. */
const filters: Readonly<Record<string, string>> = {
  loadBalancer: `grep -E '^[0-9:.]+ Server .* is (UP|DOWN)|"time_total_ms":([2-9][0-9]{3}|[0-9]{5,})'`,
  appPool: worthReading,
  mysqlCluster: worthReading,
};
/** From the engine's time stamp to the time of day with milliseconds. */
const timeOfDay = "sed -E 's/^[^T]*T([0-9:.]{12})[^ ]* /\\1 /'";

/** What nodes logged in that time: for the message of a failed test. */
export async function evidence(stack: LiveStack, from: number, to: number): Promise<string> {
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
  return (await Promise.all(logs)).join("\n");
}
