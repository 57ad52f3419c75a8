/** Labels that name a node; what several jobs say of it becomes one series. */
export const byNode = "tier, node, machine";

/** Always 1, for every planned node, whether it answers or not: for series that only know the node. */
export const nodeInfo = "holdfast:node:info";

/**
 * No node of the tier is in the state, also when none answers. `state` selects series of nodes that
 * are; `job` is the scrape job that every node has.
 */
export function none(state: string, job: string): string {
  return `(count by (tier) (${state}) or 0 * count by (tier) (up{job="${job}"})) == 0`;
}

/** Nodes that are silent, or of which `bad` selects a series. */
export function silentOr(job: string, bad: string): string {
  return `max by (${byNode}) (up{job="${job}"}) == 0 or max by (${byNode}) (${bad})`;
}
