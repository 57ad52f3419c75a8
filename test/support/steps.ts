import { expect } from "vitest";
import type { Run, Step } from "./liveStack";

const containerOf = (step: Step) => /^(.*)-container$/.exec(step.name)?.[1];

/** Node keys whose container was made anew, in order. */
export function replacedNodes(run: Run): string[] {
  return run.steps.flatMap((step) => {
    const node = containerOf(step);
    return node && (step.op === "create-replacement" || step.op === "create") ? [node] : [];
  });
}

/** Node keys that a preview says will be replaced, sorted. */
export function plannedReplacements(run: Run): string[] {
  return [
    ...new Set(
      run.steps.flatMap((step) => {
        const node = containerOf(step);
        return node && step.op === "replace" ? [node] : [];
      }),
    ),
  ].sort();
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
