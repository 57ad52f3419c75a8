import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Service } from "../../model/gate";
import type { GateSpec } from "../../operations/gate";
import type { StackState } from "../../operations/stackState";
import { readPlan } from "../../model/stack";
import { requireStages } from "../../operations/up";
import { tiers } from "../../tiers";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-stages-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A state with these nodes, as their gates recorded them. */
function stateOf(services: Readonly<Record<string, Service>>): StackState {
  const resources = Object.entries(services).map(([node, service]) => {
    const gate: GateSpec = {
      node,
      service,
      required: 1,
      timeoutSeconds: 60,
      members: [
        {
          node,
          machine: {
            stack: "dev",
            machine: `vm-${node}`,
            host: "10.0.0.1",
            port: 22,
            user: "root",
          },
          address: "10.0.0.1",
        },
      ],
      balancers: [],
    };
    return {
      urn: `urn:pulumi:dev::holdfast::command:local:Command::${node}-gate`,
      type: "command:local:Command",
      inputs: { environment: { HOLDFAST_GATE: JSON.stringify(gate) } },
    };
  });
  return { version: 3, deployment: { resources } };
}

/** What is said of an update with that stack file; undefined where it may begin. */
function refusal(config: string, services: Readonly<Record<string, Service>>): string | undefined {
  const configFile = path.join(folder, "Pulumi.dev.yaml");
  writeFileSync(configFile, `config:\n${config}`);
  try {
    requireStages({ name: "dev", reference: "dev", configFile }, stateOf(services));
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

const written = (stage: string) => `  holdfast:pki:\n    metricsTls: ${stage}\n`;
const nothing = "  holdfast:webPool:\n    count: 2\n";
const at = (metricsTls?: Service["metricsTls"]): Service => ({
  statusPort: 9200,
  ...(metricsTls && { metricsTls }),
});

describe("an update that switches TLS for health and metrics", () => {
  it("takes one stage at a time, whatever other nodes have recorded", () => {
    const web: Service = { probe: { port: 8080, path: "/readyz" } };
    expect(refusal(written("prefer"), { "mysql-a": at("off"), "web-a": web })).toBeUndefined();
    expect(refusal(written("require"), { "mysql-a": at("prefer"), "web-a": web })).toBeUndefined();
    expect(refusal(nothing, { "mysql-a": at("require") })).toBeUndefined();
    expect(refusal(written("require"), {})).toBeUndefined();
  });

  it("is refused where it skips one, with what is allowed", () => {
    expect(refusal(written("off"), { "lb-a": at("require"), "mysql-a": at("prefer") })).toBe(
      "holdfast:pki.metricsTls: found off, allowed: prefer, because lb-a is at require and could not be reached in the middle of the update",
    );
    expect(refusal(nothing, { "lb-a": at("off") })).toMatch(
      /^holdfast:pki\.metricsTls: found require, allowed: prefer, /,
    );
  });

  it("begins with off where nodes come from a version without it", () => {
    const older = { "lb-a": at(), "mysql-a": at() };
    const expected =
      "allowed: off, because lb-a, mysql-a know plain text alone on the ports for health and metrics; set off, then prefer, then require, an update for each";
    expect(refusal(nothing, older)).toBe(`holdfast:pki.metricsTls: found require, ${expected}`);
    expect(refusal(written("prefer"), older)).toBe(
      `holdfast:pki.metricsTls: found prefer, ${expected}`,
    );
    expect(refusal(written("off"), older)).toBeUndefined();
    // Interrupted in the middle of that.
    expect(refusal(written("off"), { ...older, "lb-a": at("off") })).toBeUndefined();
    expect(refusal(written("prefer"), { ...older, "lb-a": at("off") })).toContain(
      "allowed: off, because mysql-a knows plain text alone",
    );
  });

  it("is left to the program where the settings have a mistake", () => {
    expect(refusal(written("on"), { "lb-a": at("off") })).toBeUndefined();
  });
});

describe("nodes that tell their state", () => {
  it.each(Object.values(readPlan(tiers, {}).tiers).map((tier) => [tier.name, tier] as const))(
    "of %s do so on a port that takes TLS and plain text, and no others have one",
    (_, { listeners, statusPort }) => {
      const either = listeners.filter(({ eitherWay }) => eitherWay).map(({ port }) => port);
      expect(either.slice(0, 1)).toEqual(statusPort === undefined ? [] : [statusPort]);
    },
  );
});
