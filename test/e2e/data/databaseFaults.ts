import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { awaitInService } from "../../../operations/gate";
import { mustRun } from "../../faults/fault";
import { machineCutOff } from "../../faults/machineCutOff";
import { machinesKilled } from "../../faults/machinesKilled";
import { processesFrozen } from "../../faults/processesFrozen";
import { processKilled } from "../../faults/processKilled";
import {
  expectNoFailedRead,
  expectNothingFailed,
  expectNothingLost,
} from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { eventually } from "../../support/measure";
import { sql, type Member } from "../../support/members";

/** Longest time in seconds without a write after the primary is lost. */
const writableWithin = 30;

/** What happens to database members unasked. */
export function databaseFaults(data: DataStack): void {
  const { stack } = data;
  const nodes = (members: readonly Member[]) => members.map(({ node }) => node);

  it("goes on writing after mysqld was killed on the primary", async () => {
    const [primary] = await data.members();
    const gate = await stack.gateOf(primary.node);
    const watched = await data.watch(async () => {
      await processKilled(primary.node, primary.machine, "mysqld").inject(stack);
      // Its end must have been seen before it can be seen to be back; and each look takes processor
      // time that the others need to take over.
      await sleep(10_000);
      await awaitInService(gate);
    });
    expectNoFailedRead(watched);
    expectNothingLost(watched);
    data.recordOutage("mysqld of the primary killed", watched);
    expect(watched.books.longestSilenceMs).toBeLessThanOrEqual(writableWithin * 1000);
  });

  it("goes on writing while the primary is frozen, which writes nothing once it is resumed", async () => {
    const [primary, ...others] = await data.members();
    const fault = processesFrozen(primary.node, primary.machine);
    const watched = await data.watch(async () => {
      const begun = Date.now();
      await fault.inject(stack);
      try {
        await data.primaryAmong(others, writableWithin);
        await sleep(Math.max(0, begun + 30_000 - Date.now()));
      } finally {
        await fault.heal(stack);
      }
      const written = await tryToWrite(data, primary, 15);
      await data.inService(...nodes([primary, ...others]));
      return written;
    });
    expect(watched.result).toBe(0);
    expectNoFailedRead(watched);
    expectNothingLost(watched);
    data.recordOutage("primary frozen for 30 s", watched);
    expect(watched.books.longestSilenceMs).toBeLessThanOrEqual(writableWithin * 1000);
  });

  it("goes on writing while the primary's machine is cut off, and takes it back", async () => {
    const [primary, ...others] = await data.members();
    const fault = machineCutOff(primary.machine);
    const watched = await data.watch(async () => {
      const begun = Date.now();
      await fault.inject(stack);
      try {
        await data.primaryAmong(others, writableWithin);
        expect(await tryToWrite(data, primary, 1), "writes of the member that is cut off").toBe(0);
        await sleep(Math.max(0, begun + 30_000 - Date.now()));
      } finally {
        await fault.heal(stack);
      }
      await data.inService(...nodes([primary, ...others]));
    });
    expectNoFailedRead(watched);
    expectNothingLost(watched);
    data.recordOutage("primary's machine cut off for 30 s", watched);
    expect(watched.books.longestSilenceMs).toBeLessThanOrEqual(writableWithin * 1000);
  });

  it("takes no write while two of three members are lost, and is back when they are", async () => {
    const members = await data.members();
    const fault = machinesKilled(members.slice(0, 2).map(({ machine }) => machine));
    const watched = await data.watch(async () => {
      await fault.inject(stack);
      const lost = Date.now();
      await sleep(15_000);
      const until = Date.now();
      await fault.heal(stack);
      await data.inService(...nodes(members));
      data.figures.record("two members back: in service after", since(until), "s");
      return { lost, until };
    });
    const { lost, until } = watched.result;
    expect(data.ledger.acknowledgedWithin(lost, until)).toBe(0);
    expectNothingLost(watched);
  });

  it("comes back by itself after all three machines were killed at once", async () => {
    const members = await data.members();
    const fault = machinesKilled(members.map(({ machine }) => machine));
    const watched = await data.watch(async () => {
      await fault.inject(stack);
      const begun = Date.now();
      await fault.heal(stack);
      await eventually("a write is taken", 120, async () => {
        return data.ledger.acknowledgedWithin(begun, Date.now()) > 0;
      });
      data.figures.record("all members killed: writable again after", since(begun), "s", "120");
      await data.inService(...nodes(members));
      data.figures.record("all members killed: all in service after", since(begun), "s");
    });
    expectNothingLost(watched);
  });

  it("takes back a member whose machine was replaced, disk and all, by cloning", async () => {
    const [, , member] = await data.members();
    if (!member) throw new Error("there is no third member");
    const before = await identityOf(data, member);
    const watched = await data.watch(async () => {
      const run = await stack.make("replace-machine", { MACHINE: member.machine });
      expect(run.ok, run.output).toBe(true);
      data.figures.record("machine of a member replaced", run.seconds, "s");
      await data.inService(member.node);
    });
    expectNothingFailed(watched);
    // A member keeps its UUID in its data folder: another one means that the disk was empty.
    expect(await identityOf(data, member)).not.toBe(before);
    const clones = await sql(stack, member, "SELECT state FROM performance_schema.clone_status");
    expect(clones.trim()).toBe("Completed");
  });
}

const since = (time: number) => (Date.now() - time) / 1000;

const identityOf = async ({ stack }: DataStack, member: Member) =>
  (await sql(stack, member, "SELECT @@server_uuid")).trim();

/** Tries to write on a member itself, past everything that guards it; how often it could. */
async function tryToWrite(
  { stack }: DataStack,
  { node, machine }: Member,
  attempts: number,
): Promise<number> {
  const client = `timeout 15 docker exec ${node} mysql --user=agent --socket=/run/mysqld/mysqld.sock`;
  const output = await mustRun(
    stack,
    machine,
    `for n in $(seq ${attempts}); do ${client} --execute="CREATE DATABASE written_by_a_test_$n" 2>/dev/null && echo written; sleep 0.2; done; true`,
    { timeoutSeconds: 240 },
  );
  return output.split("\n").filter((line) => line === "written").length;
}
