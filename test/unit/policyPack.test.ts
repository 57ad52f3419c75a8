import { mkdtempSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type * as policy from "@pulumi/policy";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { planStack, readPlan } from "../../model/stack";
import type { Settings } from "../../model/settings";
import { failureReasons } from "../../operations/failure";
import { policyArguments } from "../../operations/pulumi";
import { declared, withSecrets } from "../../policy/library";
import { SecretValue, unknown } from "../../policy/resource";
import { tiers } from "../../tiers";
import { handedProperties } from "./support/judge";
import "./support/noMachines";
import { recordRegistrations, type Registration } from "./support/registrations";
import { inventory } from "./support/settings";

const secretMark = "4dabf18193072939515e22adb298388d";
const secretKind = "1b47061264138c4ac30d75fd1eb44270";
const unknownText = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Properties as the engine sends them. */
const sent = {
  name: "web-a",
  list: ["a", unknownText, { [secretMark]: secretKind, value: "hidden" }],
  later: unknownText,
  files: [{ file: "/x", content: { [secretMark]: secretKind, value: "hidden" } }],
  whole: { [secretMark]: secretKind, value: { a: 1 } },
  none: null,
};

/** Properties as the library hands them to a policy, or with `marked` to a remediation. */
function handed(marked: boolean): policy.ResourceValidationArgs {
  return {
    urn: "urn:pulumi:p::holdfast::t::n",
    type: "t",
    name: "n",
    props: handedProperties(sent, marked),
    provider: { type: "p", name: "vm-web-a-engine", urn: "u", props: {} },
  } as unknown as policy.ResourceValidationArgs;
}

describe("a resource as the rules see it", () => {
  it("has what is unknown in its place, secrets like the rest", () => {
    expect(declared(handed(false))).toEqual({
      urn: "urn:pulumi:p::holdfast::t::n",
      type: "t",
      name: "n",
      onMachine: true,
      inputs: {
        name: "web-a",
        list: ["a", unknown, "hidden"],
        later: unknown,
        files: [{ file: "/x", content: "hidden" }],
        whole: { a: 1 },
        none: null,
      },
    });
  });

  it("has its secrets marked for the rule about secrets", () => {
    expect(withSecrets(handed(true)).inputs).toEqual({
      name: "web-a",
      list: ["a", unknown, new SecretValue("hidden")],
      later: unknown,
      files: [{ file: "/x", content: new SecretValue("hidden") }],
      whole: new SecretValue({ a: 1 }),
      none: null,
    });
  });

  it("is on a machine unless its provider is one that the engine made", () => {
    const own = { type: "p", name: "default_5_2_0", urn: "u", props: {} };
    expect(declared({ ...handed(false), provider: own }).onMachine).toBe(false);
    const { urn, type, name, props } = handed(false);
    expect(declared({ urn, type, name, props }).onMachine).toBe(false);
  });
});

describe("the settings that policies judge by", () => {
  const shown = (log: readonly Registration[]) =>
    log.filter(({ type }) => type === "holdfast:index:ProductionSettings");

  async function registrations(raw: Record<string, unknown>): Promise<Registration[]> {
    vi.resetModules();
    return recordRegistrations(raw, () => import("../../index"));
  }

  let production: Registration[];
  const raw = {
    ...inventory,
    stack: { environment: "production" },
    appPool: { ...inventory.appPool, secrets: { "api-key": "hunter2" } },
  };
  beforeAll(async () => {
    production = await registrations(raw);
  });

  it("are registered before anything that could be refused", () => {
    expect(shown(production)).toHaveLength(1);
    const [settings] = shown(production);
    const first = production.findIndex(({ type }) => !type.startsWith("holdfast:index:"));
    expect(production.indexOf(settings!)).toBeLessThan(first);
  });

  it("have no secret, and make the same plan", () => {
    const text = shown(production)[0]?.inputs["settings"] as string;
    for (const secret of ["hunter2", "PRIVATE KEY", '"password":"password"']) {
      expect(text).not.toContain(secret);
    }
    const { machines, backends } = planStack(tiers, JSON.parse(text) as Settings<typeof tiers>);
    const expected = readPlan(tiers, raw);
    expect(machines).toEqual(expected.machines);
    expect(backends).toEqual(expected.backends);
  });

  it("are not shown of a development stack", async () => {
    expect(shown(await registrations({}))).toEqual([]);
  });
});

describe("policies", () => {
  it("judge production stacks alone", () => {
    const configFile = path.join(mkdtempSync(path.join(os.tmpdir(), "policy-")), "Pulumi.x.yaml");
    const judged = (text: string) => {
      writeFileSync(configFile, text);
      return policyArguments({ name: "x", reference: "x", configFile });
    };
    expect(judged("config:\n  holdfast:stack:\n    environment: production\n")).toEqual([
      "--policy-pack",
      path.resolve("policy"),
    ]);
    expect(judged("config:\n  holdfast:stack:\n    environment: development\n")).toEqual([]);
    expect(judged("config: {}\n")).toEqual([]);
  });

  it("say what they refuse as the reason of a failure, advice left out", () => {
    const event = (message: string, enforcementLevel: string) =>
      JSON.stringify({
        policyEvent: { resourceUrn: "u", message, policyName: "limits", enforcementLevel },
      });
    expect(
      failureReasons(
        [event("Why.\nno limit; set one\n", "mandatory"), event("Why.\nadvice\n", "advisory")].join(
          "\n",
        ),
      ),
    ).toEqual(["policy limits: no limit; set one"]);
  });
});
