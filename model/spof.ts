import { rank, riskOf, worse, worst, type Consequence, type Likelihood, type Risk } from "./risk";
import { placementOf } from "./settings";
import type { PlannedMachine, PlannedNode, PlannedTier, StackPlan } from "./stack";
import type { ServiceClass, Tiers } from "./tier";

type Plan = StackPlan<Tiers>;

/** What fails: a node, the only copy of data, a machine, or all machines of a failure domain. */
export type PointKind = "node" | "data" | "machine" | "failure domain";

/** The one setting that removes a single point of failure. */
export interface Remedy {
  /** Full key, such as `holdfast:webPool.count`. */
  readonly setting: string;
  /** What should stand there: a value, or a description of one. */
  readonly to: string;
  /** What must be there before; undefined where nothing is missing. */
  readonly needs: string | undefined;
}

/** Something whose loss alone takes away at least one tier. */
export interface SinglePoint {
  readonly kind: PointKind;
  /** Key of the node, the machine or the failure domain. */
  readonly element: string;
  /** Settings names of the tiers that are lost with it. */
  readonly tiers: readonly string[];
  /** The highest class among these tiers. */
  readonly serviceClass: ServiceClass;
  /** What it is and what happens, one sentence. */
  readonly problem: string;
  readonly risk: Risk;
  /** What the stack already does about it. */
  readonly mitigation: string;
  readonly remedy: Remedy;
}

/** How often each kind of thing fails: nodes stop at every update, disks and racks seldom. */
const likelihoodOf: Readonly<Record<PointKind, Likelihood>> = {
  node: "A",
  machine: "B",
  "failure domain": "D",
  data: "D",
};

const consequenceOf: Readonly<Record<ServiceClass, Consequence>> = {
  critical: "major",
  important: "moderate",
  "non-critical": "minor",
};

const classes: readonly ServiceClass[] = ["critical", "important", "non-critical"];

/** How many of `count` nodes must serve: one, or the majority where nodes vote. */
const required = (tier: PlannedTier, count: number) =>
  tier.declaration.votes ? Math.floor(count / 2) + 1 : 1;

const spare = (tier: PlannedTier) => tier.nodes.length - required(tier, tier.nodes.length);

const isLost = (tier: PlannedTier, gone: readonly PlannedNode[]) =>
  tier.nodes.length - gone.length < required(tier, tier.nodes.length);

/** The tiers that the stack has; what stands beside others goes with them and is missed by none. */
const present = (plan: Plan) =>
  Object.values(plan.tiers).filter(
    ({ nodes, declaration }) =>
      nodes.length > 0 && !declaration.everyMachine && !declaration.beside,
  );

/** Nodes of the tier on any of these machines. */
const nodesOn = (tier: PlannedTier, machines: readonly PlannedMachine[]) =>
  tier.nodes.filter(({ machine }) => machines.some(({ key }) => key === machine.key));

const listed = (values: readonly string[]) =>
  values.length < 2
    ? values.join()
    : `${values.slice(0, -1).join(", ")} and ${values.at(-1) ?? ""}`;

/** The smallest number of nodes with which the tier survives the loss of one. */
const redundantCount = (tier: PlannedTier) => (tier.declaration.votes ? 3 : 2);

function highestClass(tiers: readonly PlannedTier[]): ServiceClass {
  const has = (wanted: ServiceClass) =>
    tiers.some(({ declaration }) => declaration.serviceClass === wanted);
  return classes.find(has) ?? "non-critical";
}

function softenedBy(sentence: string, tiers: readonly PlannedTier[]): string {
  return [sentence, ...tiers.flatMap(({ declaration }) => declaration.withoutIt ?? [])].join(" ");
}

/** More nodes of the tier, and what they take: a load balancer to spread them, machines to run on. */
function moreNodes(plan: Plan, tier: PlannedTier): Remedy {
  const count = redundantCount(tier);
  const { machines } = placementOf(plan.settings, tier.name);
  const balancer = Object.values(plan.tiers).find(
    ({ declaration }) => declaration.vips !== undefined,
  );
  const balanced = tier.listeners.some((listener) => listener.balanced);
  const needs = [
    ...(balanced && balancer && balancer.nodes.length === 0
      ? [`holdfast:${balancer.name}.count ${redundantCount(balancer)}`]
      : []),
    ...(machines && machines.length < count
      ? [`${count} machines in holdfast:${tier.name}.machines`]
      : []),
  ];
  return {
    setting: `holdfast:${tier.name}.count`,
    to: String(count),
    needs: needs.length > 0 ? listed(needs) : undefined,
  };
}

function nodePoints(plan: Plan, tier: PlannedTier): SinglePoint[] {
  const { name, declaration, nodes } = tier;
  return nodes
    .filter((node) => isLost(tier, [node]))
    .map(({ key, machine }) => ({
      kind: "node",
      element: key,
      tiers: [name],
      serviceClass: declaration.serviceClass,
      problem:
        nodes.length === 1
          ? `${key} on ${machine.key} is the only node of ${name}: each update, restart or failure of it interrupts the tier.`
          : `${name} has ${nodes.length} nodes, and without ${key} the others are no majority.`,
      risk: riskOf(likelihoodOf.node, consequenceOf[declaration.serviceClass]),
      mitigation: softenedBy("The machine's engine starts a node again when its process dies.", [
        tier,
      ]),
      remedy: moreNodes(plan, tier),
    }));
}

function dataPoints(plan: Plan, tier: PlannedTier): SinglePoint[] {
  const { name, declaration, nodes } = tier;
  const [only, second] = nodes;
  if (!declaration.holdsData || !only || second) return [];
  return [
    {
      kind: "data",
      element: only.machine.key,
      tiers: [name],
      serviceClass: declaration.serviceClass,
      problem: `The disk of ${only.machine.key} has the only copy of ${name}'s data.`,
      risk: riskOf(likelihoodOf.data, worse(consequenceOf[declaration.serviceClass], 1)),
      mitigation: `The data is in a volume of the machine: it outlives the node, its updates and restarts of the machine.`,
      remedy: moreNodes(plan, tier),
    },
  ];
}

/** Machines that fail together, and what is lost with them. */
interface Group {
  readonly kind: "machine" | "failure domain";
  readonly element: string;
  readonly machines: readonly PlannedMachine[];
  readonly lost: readonly PlannedTier[];
}

function groupOf(
  plan: Plan,
  kind: Group["kind"],
  element: string,
  machines: readonly PlannedMachine[],
): Group {
  const lost = present(plan).filter((tier) => isLost(tier, nodesOn(tier, machines)));
  return { kind, element, machines, lost };
}

/** A group tells something new where no smaller one, nor a node of it, takes all it takes. */
function tellsMore({ lost }: Group, smaller: readonly (readonly PlannedTier[])[]): boolean {
  return lost.length > 0 && !smaller.some((tiers) => lost.every((tier) => tiers.includes(tier)));
}

function groupPoint({ kind, element, machines, lost }: Group): SinglePoint {
  const taken = lost.map((tier) => {
    const gone = nodesOn(tier, machines).length;
    return gone === tier.nodes.length
      ? `every node of ${tier.name}`
      : `${gone} of ${tier.nodes.length} nodes of ${tier.name}, more than it can lose`;
  });
  const lostForGood = (tier: PlannedTier) =>
    tier.declaration.holdsData &&
    tier.nodes.length > 1 &&
    nodesOn(tier, machines).length === tier.nodes.length;
  const consequence = worst(
    lost.map((tier) =>
      worse(consequenceOf[tier.declaration.serviceClass], lostForGood(tier) ? 1 : 0),
    ),
  );
  const who =
    kind === "machine"
      ? `Machine ${element}`
      : `Failure domain ${element} (${listed(machines.map(({ key }) => key))})`;
  return {
    kind,
    element,
    tiers: lost.map(({ name }) => name),
    serviceClass: highestClass(lost),
    problem: `${who} carries ${listed(taken)}.`,
    risk: riskOf(likelihoodOf[kind], consequence),
    mitigation: softenedBy(
      kind === "machine"
        ? "Its nodes start by themselves when it comes back; make replace-machine makes it anew."
        : "Nodes start by themselves when their machines come back.",
      lost,
    ),
    remedy: apart(kind, lost),
  };
}

/** Nodes on machines that do not fail together. */
function apart(kind: Group["kind"], lost: readonly PlannedTier[]): Remedy {
  const [only, second] = lost;
  if (only && !second) {
    return {
      setting: `holdfast:${only.name}.machines`,
      to: `machines of which no ${spare(only) + 1} share a ${kind}`,
      needs: undefined,
    };
  }
  return {
    setting: "holdfast:machines.list",
    to: `${kind === "machine" ? "another machine" : "machines in another failure domain"}, with nodes of ${listed(lost.map(({ name }) => name))} there`,
    needs: undefined,
  };
}

function groupPoints(plan: Plan): SinglePoint[] {
  const used = plan.machines.filter((machine) =>
    present(plan).some((tier) => nodesOn(tier, [machine]).length > 0),
  );
  const byNode = present(plan)
    .filter((tier) => tier.nodes.some((node) => isLost(tier, [node])))
    .map((tier) => [tier]);
  const machines = used.map((machine) => groupOf(plan, "machine", machine.key, [machine]));
  const domains = [...new Set(used.map(({ failureDomain }) => failureDomain))]
    .map((domain) => used.filter(({ failureDomain }) => failureDomain === domain))
    .filter((together) => together.length > 1)
    .map((together) => groupOf(plan, "failure domain", together[0]?.failureDomain ?? "", together));
  return [
    ...machines.filter((group) => tellsMore(group, byNode)),
    ...domains.filter((group) =>
      tellsMore(group, [...byNode, ...machines.map(({ lost }) => lost)]),
    ),
  ].map((group) => groupPoint(group));
}

/** Every single point of failure of the stack, the worst risk first. */
export function singlePoints(plan: Plan): SinglePoint[] {
  return [
    ...present(plan).flatMap((tier) => [...nodePoints(plan, tier), ...dataPoints(plan, tier)]),
    ...groupPoints(plan),
  ].sort((a, b) => rank(b.risk) - rank(a.risk));
}

/** What no setting of the stack can make redundant, each one sentence. */
export function outsideModel(plan: Plan): string[] {
  const { settings, network, vips } = plan;
  const { source, list } = settings.machines;
  const alone = Object.entries(list).flatMap(([key, { failureDomain }]) =>
    failureDomain === undefined ? key : [],
  );
  return [
    ...(source === "lab"
      ? ["This computer: the machines of the lab are containers on it, and count as machines here."]
      : []),
    ...(source === "inventory" && alone.length > 0
      ? [
          `Machines without holdfast:machines.list.<key>.failureDomain count as failing alone: ${alone.join(", ")}.`,
        ]
      : []),
    ...(vips
      ? [`The network segment ${network.cidr}: the virtual addresses move only within it.`]
      : []),
    "The image registry: nodes and machines are replaced from it; what runs does not ask it.",
    "The deployer, the stack's state and its secrets key: no update without them; what runs does not ask them.",
  ];
}
