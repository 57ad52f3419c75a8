import { describe, expect, it } from "vitest";
import type { GateSpec } from "../../operations/gate";
import {
  allStale,
  containerOf,
  deployedCount,
  deployedMachines,
  gateSpecs,
  isUnsettled,
  lostWith,
  machineOf,
  nameOf,
  nodesOn,
  openObjects,
  settled,
  settlement,
  sourceOf,
  stopTimeoutOf,
  targetArguments,
  without,
  type DockerObject,
  type PendingOperation,
  type StackState,
  type StateResource,
} from "../../operations/stackState";

const root = "urn:pulumi:dev::holdfast::pulumi:pulumi:Stack";
const stackUrn = `${root}::holdfast-dev`;
const urn = (types: string, name: string) => `urn:pulumi:dev::holdfast::${types}::${name}`;
const container = "docker:index/container:Container";
const machineType = "holdfast:index:Machine";
const nodeType = "holdfast:index:Node";

const target = (machine: string, host: string) => ({
  stack: "dev",
  machine,
  host,
  port: 22,
  user: "root",
});
const members = [
  { node: "web-a", machine: target("vm-web-a", "10.77.0.21"), address: "10.77.0.21" },
  { node: "web-b", machine: target("vm-web-b", "10.77.0.22"), address: "10.77.0.22" },
];
const spec = (node: string): GateSpec => ({
  node,
  service: {},
  required: 1,
  timeoutSeconds: 60,
  members,
  balancers: [],
});

function machine(key: string, address: string, after: string[]): StateResource[] {
  const own = urn(machineType, key);
  const child = (type: string, name: string) => urn(`${machineType}$${type}`, name);
  const engine = child("pulumi:providers:docker", `${key}-engine`);
  const made = child(container, `${key}-machine`);
  return [
    { urn: own, type: machineType, parent: stackUrn },
    {
      urn: made,
      type: container,
      id: `id-of-${key}`,
      parent: own,
      inputs: { name: `holdfast-dev-${key}` },
      dependencies: after,
      propertyDependencies: { image: [], name: null },
    },
    {
      urn: engine,
      type: "pulumi:providers:docker",
      id: `provider-${key}`,
      parent: own,
      inputs: { host: `ssh://root@${address}:22` },
      dependencies: [made],
      propertyDependencies: { host: [made] },
    },
  ];
}

function node(key: string, on: string, after: string[]): StateResource[] {
  const own = urn(`holdfast:index:WebPool$${nodeType}`, key);
  const child = (type: string, name: string) =>
    urn(`holdfast:index:WebPool$${nodeType}$${type}`, name);
  const provider = `${urn(`${machineType}$pulumi:providers:docker`, `${on}-engine`)}::provider-${on}`;
  const image = child("docker:index/remoteImage:RemoteImage", `${key}-image`);
  const made = child(container, `${key}-container`);
  return [
    { urn: own, type: nodeType, parent: urn("holdfast:index:WebPool", "web") },
    {
      urn: image,
      type: "docker:index/remoteImage:RemoteImage",
      id: "sha256:1",
      parent: own,
      provider,
    },
    {
      urn: made,
      type: container,
      id: `id-of-${key}`,
      parent: own,
      provider,
      inputs: { name: key, stopTimeout: 45 },
      dependencies: [image, ...after],
      propertyDependencies: { image: [image] },
    },
    {
      urn: child("command:local:Command", `${key}-gate`),
      type: "command:local:Command",
      id: `gate-${key}`,
      parent: own,
      inputs: { environment: { HOLDFAST_GATE: JSON.stringify(spec(key)) } },
      dependencies: [made],
      propertyDependencies: { triggers: [made] },
    },
  ];
}

const gate = (key: string) =>
  urn(`holdfast:index:WebPool$${nodeType}$command:local:Command`, `${key}-gate`);

const state: StackState = {
  version: 3,
  deployment: {
    resources: [
      { urn: stackUrn, type: "pulumi:pulumi:Stack" },
      { urn: urn("holdfast:index:Lab", "lab"), type: "holdfast:index:Lab", parent: stackUrn },
      { urn: urn("holdfast:index:WebPool", "web"), type: "holdfast:index:WebPool" },
      ...machine("vm-web-a", "10.77.0.21", []),
      ...node("web-a", "vm-web-a", []),
      ...machine("vm-web-b", "10.77.0.22", [gate("web-a")]),
      ...node("web-b", "vm-web-b", [gate("web-a")]),
    ],
  },
};

const names = ({ deployment }: StackState) =>
  (deployment.resources ?? []).map((resource) => nameOf(resource.urn));

/** Every URN that a resource mentions. */
function mentions(resource: StateResource): string[] {
  return [
    ...(resource.parent ? [resource.parent] : []),
    ...(resource.provider ? [resource.provider.slice(0, resource.provider.lastIndexOf("::"))] : []),
    ...(resource.dependencies ?? []),
    ...Object.values(resource.propertyDependencies ?? {}).flatMap((urns) => urns ?? []),
    ...(resource.deletedWith ? [resource.deletedWith] : []),
    ...(resource.replaceWith ?? []),
  ];
}

describe("what the state says", () => {
  it("knows the gates, machines and nodes", () => {
    expect(gateSpecs(state)).toEqual([spec("web-a"), spec("web-b")]);
    expect(machineOf(spec("web-b"))).toEqual(target("vm-web-b", "10.77.0.22"));
    expect([...deployedMachines(state, "dev").keys()]).toEqual(["vm-web-a", "vm-web-b"]);
    expect(nodesOn(state, "vm-web-a").map((one) => one.node)).toEqual(["web-a"]);
    expect(nameOf(containerOf(state, "web-a") ?? "")).toBe("web-a-container");
    expect(containerOf(state, "web-c")).toBeUndefined();
    expect(deployedCount(state)).toBe(10);
  });

  it("describes a node without a gate by the gates of its tier", () => {
    const resources = state.deployment.resources?.filter(({ urn: one }) => one !== gate("web-b"));
    const gateless: StackState = { version: 3, deployment: { resources } };
    expect(gateSpecs(gateless)).toEqual([spec("web-a"), spec("web-b")]);
    expect(nodesOn(gateless, "vm-web-b").map((one) => one.node)).toEqual(["web-b"]);
  });

  it("knows a machine whose nodes have no gates at all", () => {
    const resources = state.deployment.resources?.filter(({ urn: one }) => !/gate$/.test(one));
    expect([
      ...deployedMachines({ version: 3, deployment: { resources } }, "dev").values(),
    ]).toEqual([target("vm-web-a", "10.77.0.21"), target("vm-web-b", "10.77.0.22")]);
  });

  it("names the resources of nodes and machines, existing or not", () => {
    expect(targetArguments(["web-a"], [])).toEqual([
      "--target",
      "**::web-a",
      "--target",
      "**::web-a-image",
      "--target",
      "**::web-a-container",
      "--target",
      "**::web-a-gate",
    ]);
    const patterns = targetArguments(["web-a"], ["vm-web-a"]).filter((word) => word !== "--target");
    const own = state.deployment.resources?.map(({ urn: one }) => one) ?? [];
    const matched = own.filter((one) =>
      patterns.some((pattern) => one.endsWith(pattern.slice("**".length))),
    );
    expect(matched.map(nameOf)).toEqual([
      "vm-web-a",
      "vm-web-a-machine",
      "vm-web-a-engine",
      "web-a",
      "web-a-image",
      "web-a-container",
      "web-a-gate",
    ]);
  });

  it("knows how long a node may take to stop", () => {
    expect(stopTimeoutOf(state, "web-a")).toBe(45);
    expect(stopTimeoutOf(state, "nobody")).toBe(60);
  });

  it("tells a lab from an inventory", () => {
    expect(sourceOf(state)).toBe("lab");
    const resources = state.deployment.resources?.filter(({ urn: one }) => !one.endsWith("::lab"));
    expect(sourceOf({ version: 3, deployment: { resources } })).toBe("inventory");
    expect(sourceOf({ version: 3, deployment: {} })).toBeUndefined();
  });
});

describe("a lost machine", () => {
  const left = without(state, lostWith(state, "vm-web-a"));

  it("takes its own resources and its nodes along, and nothing else", () => {
    expect(lostWith(state, "vm-web-a").map(nameOf)).toEqual(["vm-web-a", "web-a"]);
    expect(names(left)).toEqual([
      "holdfast-dev",
      "lab",
      "web",
      "vm-web-b",
      "vm-web-b-machine",
      "vm-web-b-engine",
      "web-b",
      "web-b-image",
      "web-b-container",
      "web-b-gate",
    ]);
  });

  it("is mentioned nowhere afterwards, and what stays is as it was", () => {
    const kept = new Set(left.deployment.resources?.map((resource) => resource.urn));
    for (const resource of left.deployment.resources ?? []) {
      expect(mentions(resource).filter((one) => !kept.has(one))).toEqual([]);
    }
    const webB = left.deployment.resources?.find(({ urn: one }) => one.endsWith("web-b-container"));
    expect(webB).toMatchObject({ id: "id-of-web-b", inputs: { name: "web-b", stopTimeout: 45 } });
    expect(webB?.dependencies?.map(nameOf)).toEqual(["web-b-image"]);
    const vm = left.deployment.resources?.find(({ urn: one }) => one.endsWith("vm-web-b-machine"));
    expect(vm).toMatchObject({ dependencies: [], propertyDependencies: { image: [], name: null } });
  });

  it("leaves the state alone where nothing is removed", () => {
    expect(without(state, [])).toEqual(state);
  });
});

describe("an interrupted update", () => {
  const half = (type: string, resource: Partial<StateResource>): PendingOperation => ({
    type,
    resource: { urn: urn(container, "x"), type: container, ...resource },
  });
  const unsettled = (...pending_operations: PendingOperation[]): StackState => ({
    ...state,
    deployment: { ...state.deployment, pending_operations },
  });
  const volume = half("creating", {
    urn: urn("docker:index/volume:Volume", "vm-web-c-volume"),
    type: "docker:index/volume:Volume",
    inputs: { name: "holdfast-dev-vm-web-c" },
  });
  const onMachine = half("creating", {
    inputs: { name: "web-c" },
    provider: `${urn(`${machineType}$pulumi:providers:docker`, "vm-web-b-engine")}::provider-vm-web-b`,
  });
  const removal = half("deleting", {
    urn: containerOf(state, "web-b")!,
    inputs: { name: "web-b" },
  });

  it("leaves open what became of its Docker objects, and on which engine", () => {
    const command = half("creating", { type: "command:local:Command", inputs: { name: "no" } });
    const objects = openObjects(unsettled(volume, onMachine, command), "dev");
    expect(objects).toEqual([
      {
        urn: volume.resource.urn,
        kind: "volume",
        name: "holdfast-dev-vm-web-c",
        operation: "creating",
        engine: "local",
      },
      {
        urn: onMachine.resource.urn,
        kind: "container",
        name: "web-c",
        operation: "creating",
        engine: target("vm-web-b", "10.77.0.22"),
      },
    ]);
  });

  const decide = (operation: PendingOperation, found: Parameters<typeof settlement>[3][number]) => {
    const open = unsettled(operation);
    return settlement(open, "dev", openObjects(open, "dev"), [found]);
  };

  it("is settled by removing half-made objects of this stack alone", () => {
    const removed = ({ remove }: { remove: readonly DockerObject[] }) =>
      remove.map(({ name }) => name);
    expect(removed(decide(onMachine, { id: "new", stack: "dev" }))).toEqual(["web-c"]);
    expect(removed(decide(onMachine, { id: "new", stack: "other" }))).toEqual([]);
    expect(removed(decide(onMachine, { id: "new", stack: "" }))).toEqual([]);
    expect(removed(decide(onMachine, undefined))).toEqual([]);
    expect(removed(decide(onMachine, "unknown"))).toEqual([]);
  });

  it("never removes what the state holds", () => {
    expect(decide(onMachine, { id: "id-of-web-a", stack: "dev" }).remove).toEqual([]);
  });

  it("forgets what was being deleted and is gone", () => {
    expect(decide(removal, undefined).forget.map(nameOf)).toEqual(["web-b-container"]);
    expect(decide(removal, { id: "id-of-web-b", stack: "dev" })).toEqual({
      remove: [],
      forget: [],
    });
    expect(decide(removal, "unknown")).toEqual({ remove: [], forget: [] });
  });

  it("leaves no pending operation behind", () => {
    const open = unsettled(volume, removal);
    expect(isUnsettled(open)).toBe(true);
    const clean = settled(open, decide(removal, undefined).forget);
    expect(isUnsettled(clean)).toBe(false);
    expect(names(clean)).toEqual(names(state).filter((name) => name !== "web-b-container"));
    expect(isUnsettled(state)).toBe(false);
  });
});

describe("locks", () => {
  const lock = { pid: 7, username: "op", hostname: "here", timestamp: "2026-01-01T00:00:00Z" };

  it("are broken only where every holder was a process of this computer and is dead", () => {
    expect(allStale([lock], "here", () => false)).toBe(true);
    expect(allStale([lock], "here", () => true)).toBe(false);
    expect(allStale([lock], "elsewhere", () => false)).toBe(false);
    expect(allStale([lock, { ...lock, pid: 8 }], "here", (pid) => pid === 8)).toBe(false);
  });
});
