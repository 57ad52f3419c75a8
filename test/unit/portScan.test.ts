import { describe, expect, it } from "vitest";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { declared, differences } from "../support/portScan";

const admin = "10.77.0.1/32";
const plan = readPlan(tiers, { machines: { adminNetworks: [admin] } });
const [lb, app, web] = ["10.77.0.11", "10.77.0.31", "10.77.0.21"] as const;
const { edge = "", internal = "" } = plan.vips ?? {};

describe("what a port scan may find", () => {
  it("is open where a tier listens for the tier of the asking machine", () => {
    expect(declared(plan, lb, app).open).toEqual([8443]);
    expect(declared(plan, lb, web).open).toEqual([8443]);
  });

  it("is nothing between tiers that have nothing to do with each other", () => {
    expect(declared(plan, web, app)).toEqual({ open: [], passed: [] });
    expect(declared(plan, app, web)).toEqual({ open: [], passed: [] });
  });

  it("is open on the virtual address of the endpoint alone, and refused on others of its machine", () => {
    expect(declared(plan, web, internal)).toEqual({
      open: [8443],
      passed: [80, 443, 8443],
    });
    expect(declared(plan, web, edge)).toEqual({ open: [80, 443], passed: [80, 443, 8443] });
    expect(declared(plan, web, lb)).toEqual({ open: [], passed: [80, 443, 8443] });
  });

  it("is SSH for the operator alone", () => {
    expect(declared(plan, "10.77.0.1", app).open).toEqual([22]);
    expect(declared(plan, "10.77.0.1", edge).open).toEqual([22, 80, 443]);
    expect(declared(plan, web, edge).open).not.toContain(22);
  });

  it("is an error at an address of nobody", () => {
    expect(() => declared(plan, web, "10.77.0.99")).toThrow(
      "no machine of the stack has 10.77.0.99",
    );
  });
});

describe("what is wrong with a scan", () => {
  const allowed = { open: [80, 443], passed: [80, 443, 8080] };

  it("is nothing where all is as declared", () => {
    expect(differences({ open: [80, 443], refused: [8080] }, allowed)).toEqual([]);
  });

  it("is told of either side", () => {
    expect(differences({ open: [22, 80], refused: [9, 8080] }, allowed)).toEqual([
      "22: open, and not declared",
      "9: let through by the firewall, and not declared",
      "443: declared, and not open",
    ]);
  });
});
