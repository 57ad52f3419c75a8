import { describe, expect, it } from "vitest";
import { labShares } from "../../model/labShares";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";

function sharesOf(raw: Record<string, unknown>): Record<string, number> {
  const plan = readPlan(tiers, raw);
  return Object.fromEntries(plan.machines.map((each) => [each.key, labShares(plan, each)]));
}

describe("the processor share of a lab machine", () => {
  it("is that of its tier's service class, and twice that where all traffic passes", () => {
    const shares = sharesOf({
      redisCache: { count: 3 },
      mysqlCluster: { count: 3 },
      appPool: { sample: "property" },
      backup: { count: 1 },
    });
    expect(shares).toMatchObject({
      "vm-lb-a": 8192,
      "vm-web-b": 4096,
      "vm-app-a": 4096,
      "vm-mysql-c": 4096,
      "vm-redis-a": 2048,
      "vm-backup-a": 1024,
    });
  });

  it("is not less for an exporter beside the node", () => {
    expect(sharesOf({ monitoring: { count: 2 } })).toMatchObject({
      "vm-web-a": 4096,
      "vm-monitor-a": 2048,
    });
  });
});
