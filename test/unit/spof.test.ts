import { describe, expect, it } from "vitest";
import { consequences, rank, riskOf, row, worse, worst } from "../../model/risk";
import { outsideModel, singlePoints, type SinglePoint } from "../../model/spof";
import { remedyText, spofJson, spofText } from "../../model/spofText";
import { readPlan, type StackPlan } from "../../model/stack";
import type { Tiers } from "../../model/tier";
import { settingsFrom } from "../../operations/settingsFile";
import { tiers } from "../../tiers";
import { inventory } from "./support/settings";

type Plan = StackPlan<Tiers>;

const plan = (raw: Record<string, unknown> = {}): Plan => readPlan(tiers, raw);

/** Everything there is, redundant, each node on a machine of its own. */
const full = {
  loadBalancer: { count: 2 },
  webPool: { count: 2 },
  appPool: { count: 2, sample: "property" },
  mysqlCluster: { count: 3 },
  redisCache: { count: 3 },
};

/** Lab machines with their failure domains. */
const machines = (domains: Record<string, string | undefined>) => ({
  list: Object.fromEntries(
    Object.entries(domains).map(([key, failureDomain]) => [key, { failureDomain }]),
  ),
});

const brief = ({ risk, kind, element, tiers: lost, remedy }: SinglePoint) =>
  `${risk.cell} ${kind} ${element} takes ${lost.join("+")}; ${remedyText(remedy)}`;
const points = (raw: Record<string, unknown>) => singlePoints(plan(raw)).map(brief);

describe("the risk matrix", () => {
  it("has the 25 cells of the classic one, each rank once", () => {
    expect(["A", "B", "C", "D", "E"].map((letter) => row(letter as "A").join(" "))).toEqual([
      "M8 H16 H18 C23 C25",
      "M7 M10 H17 H20 C24",
      "L3 M9 M12 H19 H22",
      "L2 L5 M11 M14 H21",
      "L1 L4 L6 M13 M15",
    ]);
    const ranks = (["A", "B", "C", "D", "E"] as const).flatMap((letter) =>
      consequences.map((consequence) => rank(riskOf(letter, consequence))),
    );
    expect(ranks.sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, n) => n + 1));
  });

  it("places a risk by row and column", () => {
    expect(riskOf("A", "insignificant").cell).toBe("M8");
    expect(riskOf("B", "major").cell).toBe("H20");
    expect(riskOf("E", "catastrophic").cell).toBe("M15");
  });

  it("knows what is worse, and nothing beyond catastrophic", () => {
    expect(worse("moderate", 0)).toBe("moderate");
    expect(worse("major", 1)).toBe("catastrophic");
    expect(worse("catastrophic", 1)).toBe("catastrophic");
    expect(worst(["minor", "major", "moderate"])).toBe("major");
    expect(worst([])).toBe("insignificant");
  });
});

describe("single points of failure", () => {
  it("has none in the hello stack", () => {
    expect(points({})).toEqual([]);
  });

  it("has none in the full stack", () => {
    expect(points(full)).toEqual([]);
  });

  it("finds one load balancer", () => {
    expect(singlePoints(plan({ loadBalancer: { count: 1 } }))).toEqual([
      {
        kind: "node",
        element: "lb-a",
        tiers: ["loadBalancer"],
        serviceClass: "critical",
        problem:
          "lb-a on vm-lb-a is the only node of loadBalancer: each update, restart or failure of it interrupts the tier.",
        risk: { likelihood: "A", consequence: "major", cell: "C23" },
        mitigation: "The machine's engine starts a node again when its process dies.",
        remedy: { setting: "holdfast:loadBalancer.count", to: "2", needs: undefined },
      },
    ]);
  });

  it("finds one database: the service, and the only copy of its data", () => {
    const found = singlePoints(plan({ ...full, mysqlCluster: { count: 1 } }));
    expect(found.map(brief)).toEqual([
      "C23 node mysql-a takes mysqlCluster; holdfast:mysqlCluster.count: 3",
      "H21 data vm-mysql-a takes mysqlCluster; holdfast:mysqlCluster.count: 3",
    ]);
    expect(found[1]?.problem).toBe(
      "The disk of vm-mysql-a has the only copy of mysqlCluster's data.",
    );
  });

  it("places the cache lower, which the application can do without", () => {
    const [cache, ...others] = singlePoints(plan({ ...full, redisCache: { count: 1 } }));
    expect(others).toEqual([]);
    expect(cache).toMatchObject({
      serviceClass: "important",
      risk: { likelihood: "A", consequence: "moderate", cell: "H18" },
      remedy: { setting: "holdfast:redisCache.count", to: "3" },
    });
    expect(cache?.mitigation).toMatch(/The application works without the cache, slower\.$/);
  });

  it("finds a pool in one failure domain, and says how many may share one", () => {
    expect(
      points({
        ...full,
        machines: machines({ m1: "rack-1", m2: "rack-1" }),
        webPool: { count: 2, machines: ["m1", "m2"] },
      }),
    ).toEqual([
      "M14 failure domain rack-1 takes webPool; holdfast:webPool.machines: machines of which no 2 share a failure domain",
    ]);
  });

  it("has none where the nodes of each tier are in several failure domains", () => {
    expect(
      points({
        ...full,
        machines: machines({ m1: "rack-1", m2: "rack-2", m3: "rack-3" }),
        webPool: { count: 2, machines: ["m1", "m2"] },
        mysqlCluster: { count: 3, machines: ["m1", "m2", "m3"] },
      }),
    ).toEqual([]);
  });

  it("finds a failure domain with the majority of a group", () => {
    const raw = {
      ...full,
      machines: machines({ m1: "rack-1", m2: "rack-1", m3: "rack-2" }),
      mysqlCluster: { count: 3, machines: ["m1", "m2", "m3"] },
    };
    const [point, ...others] = singlePoints(plan(raw));
    expect(others).toEqual([]);
    expect(point && brief(point)).toBe(
      "M14 failure domain rack-1 takes mysqlCluster; holdfast:mysqlCluster.machines: machines of which no 2 share a failure domain",
    );
    expect(point?.problem).toBe(
      "Failure domain rack-1 (m1 and m2) carries 2 of 3 nodes of mysqlCluster, more than it can lose.",
    );
    // Five members can lose two.
    expect(
      points({
        ...raw,
        machines: machines({ m1: "rack-1", m2: "rack-1", m3: "rack-2", m4: "rack-2", m5: "x" }),
        mysqlCluster: { count: 5, machines: ["m1", "m2", "m3", "m4", "m5"] },
      }),
    ).toEqual([]);
  });

  it("finds every copy of the data in one failure domain catastrophic", () => {
    const [point] = singlePoints(
      plan({
        ...full,
        machines: machines({ m1: "rack", m2: "rack", m3: "rack" }),
        mysqlCluster: { count: 3, machines: ["m1", "m2", "m3"] },
      }),
    );
    expect(point?.risk).toEqual({ likelihood: "D", consequence: "catastrophic", cell: "H21" });
    expect(point?.problem).toContain("carries every node of mysqlCluster.");
  });

  it("finds the Sentinels' majority in one failure domain", () => {
    expect(
      points({
        ...full,
        machines: machines({ m1: "rack-1", m2: "rack-1", m3: "rack-2" }),
        redisCache: { count: 3, machines: ["m1", "m2", "m3"] },
      }),
    ).toEqual([
      "M11 failure domain rack-1 takes redisCache; holdfast:redisCache.machines: machines of which no 2 share a failure domain",
    ]);
  });

  it("tells a failure domain of several tiers once, with all of them", () => {
    const { list, ...others } = inventory.machines;
    const inOne = Object.fromEntries(
      Object.entries(list).map(([key, machine]) => [key, { ...machine, failureDomain: "dc" }]),
    );
    expect(points({ ...inventory, machines: { ...others, list: inOne } })).toEqual([
      "M14 failure domain dc takes loadBalancer+appPool+webPool; holdfast:machines.list: machines in another failure domain, with nodes of loadBalancer, appPool and webPool there",
    ]);
  });

  it("does not tell a failure domain that takes no more than one of its nodes does", () => {
    expect(
      points({
        ...full,
        machines: machines({ m1: "rack", m2: "rack" }),
        appPool: { count: 1, machines: ["m1"] },
        webPool: { count: 3, machines: ["m2", "vm-web-a", "vm-web-b"] },
      }),
    ).toEqual([
      "C23 node app-a takes appPool; holdfast:appPool.count: 2 (needs 2 machines in holdfast:appPool.machines)",
    ]);
  });

  it("finds everything on one machine: each tier, the data, and the machine", () => {
    const box = { machines: ["box"] };
    const needs = (tier: string, count: number) =>
      `(needs holdfast:loadBalancer.count 2 and ${count} machines in holdfast:${tier}.machines)`;
    expect(
      points({
        machines: machines({ box: undefined }),
        loadBalancer: { count: 0 },
        webPool: { count: 1, port: 80, ...box },
        appPool: { count: 1, ...box },
        mysqlCluster: { count: 1, ...box },
      }),
    ).toEqual([
      `C23 node mysql-a takes mysqlCluster; holdfast:mysqlCluster.count: 3 ${needs("mysqlCluster", 3)}`,
      `C23 node app-a takes appPool; holdfast:appPool.count: 2 ${needs("appPool", 2)}`,
      `C23 node web-a takes webPool; holdfast:webPool.count: 2 ${needs("webPool", 2)}`,
      `H21 data box takes mysqlCluster; holdfast:mysqlCluster.count: 3 ${needs("mysqlCluster", 3)}`,
      "H20 machine box takes mysqlCluster+appPool+webPool; holdfast:machines.list: another machine, with nodes of mysqlCluster, appPool and webPool there",
    ]);
  });

  it("finds nodes of a tier on one machine, which settings refuse before", () => {
    const drawn = plan({});
    const web = drawn.tiers["webPool"]!;
    const [first] = web.nodes;
    const together = web.nodes.map((node) => ({ ...node, machine: first!.machine }));
    const found = singlePoints({
      ...drawn,
      tiers: { ...drawn.tiers, webPool: { ...web, nodes: together } },
    });
    expect(found.map(brief)).toEqual([
      "H20 machine vm-web-a takes webPool; holdfast:webPool.machines: machines of which no 2 share a machine",
    ]);
  });

  it("finds either of two voters, of which none is spare", () => {
    const drawn = plan(full);
    const mysql = drawn.tiers["mysqlCluster"]!;
    const two = { ...mysql, nodes: mysql.nodes.slice(0, 2) };
    const found = singlePoints({ ...drawn, tiers: { ...drawn.tiers, mysqlCluster: two } });
    expect(found.map(({ problem }) => problem)).toEqual([
      "mysqlCluster has 2 nodes, and without mysql-a the others are no majority.",
      "mysqlCluster has 2 nodes, and without mysql-b the others are no majority.",
    ]);
  });
});

describe("what is outside the model", () => {
  it("names the lab's computer, the network, the registry and the deployer", () => {
    expect(outsideModel(plan({})).map((line) => line.split(":")[0])).toEqual([
      "This computer",
      "The network segment 10.77.0.0/24",
      "The image registry",
      "The deployer, the stack's state and its secrets key",
    ]);
  });

  it("names the machines of an inventory whose failure domain is not told", () => {
    const { n1, ...others } = inventory.machines.list;
    const list = { n1: { ...n1!, failureDomain: "rack" }, ...others };
    expect(outsideModel(plan({ ...inventory, machines: { ...inventory.machines, list } }))[0]).toBe(
      "Machines without holdfast:machines.list.<key>.failureDomain count as failing alone: n2, n3, n4, n5, n6.",
    );
  });
});

describe("the report", () => {
  it("is one line and the limits of the model where nothing is found", () => {
    const [first, second, third] = spofText("hello", plan({})).split("\n");
    expect([first, second, third]).toEqual([
      "stack hello: no single points of failure among 6 nodes on 6 machines",
      "",
      "Outside the model:",
    ]);
  });

  it("puts what is found in a table no wider than its columns, and in the matrix", () => {
    const lines = spofText("one", plan({ loadBalancer: { count: 1 } })).split("\n");
    expect(lines[0]).toBe("stack one: 1 single point of failure among 5 nodes on 5 machines");
    expect(lines.slice(2, 7)).toEqual([
      "risk  what fails        what is lost                                what softens it                     what removes it",
      "",
      "C23   node lb-a         lb-a on vm-lb-a is the only node of         The machine's engine starts a node  holdfast:loadBalancer.count: 2",
      "                        loadBalancer: each update, restart or       again when its process dies.",
      "                        failure of it interrupts the tier.",
    ]);
    expect(lines).toContain(
      "A almost certain    M8             H16            H18            C23 (1)        C25",
    );
    expect(lines).toContain(
      "B likely            M7             M10            H17            H20            C24",
    );
  });

  it("is JSON for programs, with the same points", () => {
    const one = plan({ loadBalancer: { count: 1 } });
    const parsed = JSON.parse(spofJson("one", one)) as Record<string, unknown>;
    expect(Object.keys(parsed)).toEqual(["stack", "points", "outsideModel"]);
    expect(parsed["points"]).toEqual(
      singlePoints(one).map(({ remedy, ...point }) => ({
        ...point,
        remedy: { setting: remedy.setting, to: remedy.to },
      })),
    );
  });
});

describe("a stack file", () => {
  it("is read without its prefix, other projects' keys left out, secrets unread", () => {
    expect(
      settingsFrom(
        "config:\n  holdfast:webPool: {count: 2}\n  other:key: 1\n  holdfast:registry:\n    password: {secure: v1:abc}\n",
      ),
    ).toEqual({ webPool: { count: 2 }, registry: { password: { secure: "v1:abc" } } });
    expect(settingsFrom("encryptionsalt: v1:x\n")).toEqual({});
    expect(settingsFrom("")).toEqual({});
  });
});
