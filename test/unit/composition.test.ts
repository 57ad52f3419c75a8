import { beforeAll, describe, expect, it, vi } from "vitest";
import type * as ssh from "../../operations/ssh";
import { recordRegistrations, type Registration } from "./support/registrations";

vi.mock("../../operations/reach", () => ({
  awaitEngine: async () => undefined,
  deployedBefore: () => false,
}));
vi.mock("../../operations/ssh", async (original) => ({
  ...(await original<typeof ssh>()),
  storeKeys: () => undefined,
}));

const containerType = "docker:index/container:Container";
const nodeKeys = ["lb-a", "lb-b", "app-a", "app-b", "web-a", "web-b"];

describe("the hello stack", () => {
  let log: Registration[];
  const named = (name: string, type?: string) => {
    const found = log.filter((entry) => entry.name === name && (!type || entry.type === type));
    expect(found, `registrations named ${name}`).toHaveLength(1);
    return found[0] as Registration;
  };

  beforeAll(async () => {
    log = await recordRegistrations({}, () => import("../../index"));
  });

  it("has exactly one container, image and gate for each node", () => {
    const nodes = log.filter(({ type }) => type === "holdfast:index:Node");
    expect(nodes.map(({ name }) => name).sort()).toEqual([...nodeKeys].sort());
    for (const { urn, name } of nodes) {
      const children = log.filter(({ parent }) => parent === urn).map((child) => child.name);
      expect(children.sort()).toEqual([`${name}-container`, `${name}-gate`, `${name}-image`]);
    }
  });

  it("names every child after its parent", () => {
    for (const { name, parent } of log) {
      const parentName = parent.split("::").pop() ?? "";
      if (parent.includes("holdfast:index:")) expect(name.startsWith(parentName)).toBe(true);
    }
  });

  it("chains the nodes of a tier through gates, and the tiers in order", () => {
    const chain = nodeKeys.slice(1).map((key, index) => [nodeKeys[index], key] as const);
    for (const [before, after] of chain) {
      expect(named(`${after}-container`).dependsOn).toContain(named(`${before}-gate`).urn);
    }
  });

  it("lets no property of one node flow into another", () => {
    for (const key of nodeKeys) {
      const others = nodeKeys.filter((other) => other !== key);
      for (const part of ["container", "gate", "image"]) {
        const sources = Object.values(named(`${key}-${part}`).edges).flat();
        for (const other of others) {
          expect(sources.some((urn) => urn.endsWith(`::${other}-container`))).toBe(false);
          expect(sources.some((urn) => urn.endsWith(`::${other}-gate`))).toBe(false);
        }
      }
    }
  });

  it("deletes a container before its successor is made, and its gate before it", () => {
    for (const key of nodeKeys) {
      const container = named(`${key}-container`, containerType);
      const gate = named(`${key}-gate`);
      expect(container.deleteBeforeReplace).toBe(true);
      expect(gate.deleteBeforeReplace).toBe(true);
      expect(gate.edges["triggers"]).toEqual([container.urn]);
    }
  });

  it("makes a new image beside the old one, which would take every node with it", () => {
    const images = log.filter(({ type }) => /:(RemoteImage|RegistryImage)$/.test(type));
    expect(images.length).toBeGreaterThan(nodeKeys.length);
    for (const { name, deleteBeforeReplace } of images) {
      expect(deleteBeforeReplace, name).toBe(false);
    }
  });

  it("makes a machine of a tier only when the node before it is in service", () => {
    for (const tier of ["lb", "app", "web"]) {
      expect(named(`vm-${tier}-b-machine`).dependsOn).toContain(named(`${tier}-a-gate`).urn);
      expect(named(`vm-${tier}-a-machine`).dependsOn.some((urn) => urn.includes("-gate"))).toBe(
        false,
      );
    }
  });

  it("replaces a node with its machine", () => {
    for (const key of nodeKeys) {
      const machine = named(`vm-${key}-machine`).urn;
      expect(named(`${key}-container`).edges["labels"]).toContain(machine);
      expect(named(`${key}-image`).edges["pullTriggers"]).toContain(machine);
    }
  });

  it("gives a node no environment, command or file with a secret in plain text", () => {
    for (const key of nodeKeys) {
      expect(JSON.stringify(named(`${key}-container`).inputs["envs"])).not.toContain("private");
    }
  });

  it("takes the whole stack down before any guard can hold it back", () => {
    const notice = named("teardown-notice");
    for (const key of nodeKeys) expect(notice.dependsOn).toContain(named(`${key}-gate`).urn);
  });
});
