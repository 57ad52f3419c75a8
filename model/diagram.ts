import { connections, type Connection } from "./connections";
import type { StackPlan } from "./stack";
import type { Source, Tiers } from "./tier";

const outsiders = new Map<Source, string>([
  ["public", "clients"],
  ["admin", "operator"],
]);

const identifier = (name: string) => name.replaceAll(/[^A-Za-z0-9]/g, "_");

/** `web: tcp 80, 443`: the listener or endpoint, and its ports. */
function label(joined: readonly Connection[]): string {
  const groups = new Map<string, Set<string>>();
  for (const { listener, protocol, port } of joined) {
    const what = listener === protocol ? listener : `${listener}: ${protocol}`;
    const ports = groups.get(what) ?? new Set();
    groups.set(what, ports);
    if (port !== undefined) ports.add(String(port));
  }
  return [...groups]
    .map(([what, ports]) => `${what} ${[...ports].join(", ")}`.trim())
    .join("<br/>");
}

/** Arrows for the connections from one source to one tier. */
function arrows(plan: StackPlan<Tiers>, joined: readonly Connection[]): string[] {
  const [{ source, tier } = { source: "", tier: "" }] = joined;
  if (source !== tier) {
    return [`  ${identifier(source)} -->|"${label(joined)}"| ${identifier(tier)}`];
  }
  // A box cannot point to itself: peers are drawn as a chain of nodes.
  const peers = plan.tiers[tier]?.nodes.map(({ key }) => identifier(key)) ?? [];
  return peers
    .slice(1)
    .map((peer, index) => `  ${peers[index] ?? ""} <-->|"${label(joined)}"| ${peer}`);
}

/**
 * The stack as a Mermaid flowchart: tiers with their nodes and machines, and every connection that
 * is allowed between them. The same plan gives the same text.
 */
export function architectureDiagram(plan: StackPlan<Tiers>): string {
  const all = connections(plan);
  const tiers = Object.values(plan.tiers).filter(({ nodes }) => nodes.length > 0);
  const boxes = [
    ...[...outsiders].map(([source, name]) => `  ${source}((${name}))`),
    ...tiers.flatMap(({ name, nodes }) => [
      `  subgraph ${identifier(name)}["${name}"]`,
      ...nodes.map(
        ({ key, machine }) =>
          `    ${identifier(key)}["${key}<br/>${machine.key}, ${machine.address}"]`,
      ),
      "  end",
    ]),
    `  machines["every machine"]`,
  ];
  const edges = new Map<string, Connection[]>();
  for (const connection of all) {
    const edge = `${connection.source} ${connection.tier}`;
    edges.set(edge, [...(edges.get(edge) ?? []), connection]);
  }
  const vips = plan.vips
    ? [`  %% virtual addresses: edge ${plan.vips.edge}, internal ${plan.vips.internal}`]
    : [];
  return [
    "flowchart LR",
    ...vips,
    ...boxes,
    ...[...edges.values()].flatMap((joined) => arrows(plan, joined)),
    "",
  ].join("\n");
}
