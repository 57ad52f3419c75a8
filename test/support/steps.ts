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
