import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { mustRun } from "../../faults/fault";
import type { DataStack } from "../../support/dataStack";
import { downWithBackups } from "../../support/labBackups";
import { LiveStack } from "../../support/liveStack";
import { eventually } from "../../support/measure";
import { snapshotsOf } from "../../support/members";

/** Has a full backup taken of all that there is; returns its snapshot. */
async function takeFull({ stack }: DataStack): Promise<string> {
  const completed = async () => {
    const { stdout } = await stack.on("vm-backup-a", "docker logs backup-a");
    return [...stdout.matchAll(/"full backup is complete","snapshot":"([^"]+)"/g)];
  };
  const before = (await completed()).length;
  await mustRun(stack, "vm-backup-a", "docker exec backup-a backup full");
  let newest: string | undefined;
  await eventually("a full backup", 120, async () => {
    newest = (await completed())[before]?.[1];
    return newest !== undefined;
  });
  return newest ?? "";
}

/** What the backup gives back. It ends the load. */
export function restores(data: DataStack): void {
  const { stack } = data;

  it("restores the database to a point in time, into a fresh stack", async () => {
    const { ledger } = data;
    const heldBy = async (at: LiveStack) => {
      const member = { node: "mysql-a", machine: "vm-mysql-a" };
      return (await snapshotsOf(at, [member], ledger.prefix)).get(member.node);
    };
    const full = await takeFull(data);
    await ledger.pause();
    const before = await heldBy(stack);
    await sleep(1000);
    const at = new Date().toISOString();
    await sleep(1000);
    ledger.resume();
    await sleep(10_000);
    await data.stopLoad();
    const fresh = new LiveStack("fresh", {
      machines: { network: "10.90.0.0/24" },
      loadBalancer: { count: 0 },
      webPool: { count: 1 },
      mysqlCluster: { count: 1 },
      appPool: { count: 1, sample: "property" },
      backup: { count: 1 },
    });
    await fresh.make("down");
    await fresh.init();
    try {
      await fresh.mustUp();
      await fresh.refreshMachines();
      const run = await fresh.make("restore", { FROM: stack.name, AT: at });
      expect(run.ok, run.output).toBe(true);
      expect(run.output).toContain(`(snapshot ${full.slice(0, 8)})`);
      data.figures.record("restore to a point in time", run.seconds, "s");
      const restored = await heldBy(fresh);
      expect(before?.rows.length).toBeGreaterThan(0);
      expect(restored?.rows).toEqual(before?.rows);
      expect(restored?.checksums).toEqual(before?.checksums);
      expect((await heldBy(stack))?.checksums).not.toEqual(before?.checksums);
    } finally {
      await downWithBackups(fresh);
    }
  });
}
