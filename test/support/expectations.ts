import { expect } from "vitest";
import { hostLoad } from "./hostLoad";
import type { Run } from "./liveStack";
import type { Report } from "./measure";

/** Fails with the report where a sent request failed, or more than 1 % could not be sent. */
export function expectNoFailedRequest(seen: Report): void {
  const told = `${hostLoad(seen.from, seen.to)}\n${seen.describe()}`;
  expect(seen.failed - seen.notSent, told).toBe(0);
  expect(seen.sentShare, told).toBeGreaterThanOrEqual(0.99);
}

/**
 * Replays the steps: a node is out from the removal of its container until its gate holds again.
 * Fails where two nodes of a tier were out at once.
 */
export function expectOneAtATime(run: Run): void {
  const out = new Map<string, Set<string>>();
  for (const { name, op } of run.steps) {
    const match = /^(([a-z]+)-[a-z])-(container|gate)$/.exec(name);
    if (!match) continue;
    const [, node = "", tier = "", part] = match;
    const gone = out.get(tier) ?? new Set<string>();
    out.set(tier, gone);
    if (part === "container" && (op === "delete-replaced" || op === "delete")) gone.add(node);
    if (part === "gate" && (op === "create-replacement" || op === "create")) gone.delete(node);
    expect([...gone].length, `out at once in ${tier}: ${[...gone].join(", ")}`).toBeLessThan(2);
  }
}
