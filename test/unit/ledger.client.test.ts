import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test, vi } from "vitest";
import { describeReport, judgeMembers, Ledger } from "../../loadtests/ledger";
import { startFakeProperty, type FakeProperty, type Misbehaviour } from "./support/fakeProperty";

vi.setConfig({ testTimeout: 20_000 });

const closers: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

/** Keeps a ledger for a while against an application; what it found in the end. */
async function account(wrong: Misbehaviour, seconds = 1.5) {
  const application = await startFakeProperty(wrong);
  closers.push(() => application.close());
  const ledger = new Ledger({
    targets: { http: application.origin },
    networks: [],
    writesPerSecond: 150,
    readsPerSecond: 150,
    staleMs: 300,
  });
  ledger.resume();
  await sleep(seconds * 1000);
  await ledger.stop();
  return { ledger, ...found(ledger, application) };
}

function found(ledger: Ledger, application: FakeProperty) {
  const report = ledger.report();
  const violations = judgeMembers(ledger.rows, application.snapshots());
  return {
    report,
    stored: new Set(violations.map(({ kind }) => kind)),
    read: new Set(report.violations.map(({ kind }) => kind)),
  };
}

describe.concurrent("a ledger", () => {
  test("finds nothing wrong with an honest application, and was not idle", async () => {
    const { ledger, report, stored, read } = await account({});
    expect([...stored, ...read, ...ledger.contradictions]).toEqual([]);
    expect(report.writes.refused + report.writes.unknown, describeReport(report)).toBe(0);
    expect(report.writes.acknowledged).toBe(report.writes.sent);
    expect(report.writes.sent).toBeGreaterThan(100);
    expect(report.reads.failed).toBe(0);
    expect(report.reads.own).toBeGreaterThan(20);
    const kinds = new Set(ledger.rows.flatMap(({ writes }) => writes.map(({ kind }) => kind)));
    expect(kinds).toEqual(new Set(["create", "update", "delete"]));
    expect(ledger.rows.some(({ keyed }) => keyed)).toBe(true);
    expect(ledger.rows.some(({ keyed }) => !keyed)).toBe(true);
  });

  test("goes on after a pause and sends nothing while it lasts", async () => {
    const application = await startFakeProperty();
    closers.push(() => application.close());
    const ledger = new Ledger({ targets: { http: application.origin }, networks: [] });
    const sent = () => ledger.report().writes.sent;
    ledger.resume();
    await sleep(500);
    await ledger.pause();
    const paused = sent();
    expect(paused).toBeGreaterThan(0);
    await sleep(200);
    expect(sent()).toBe(paused);
    ledger.resume();
    await sleep(300);
    await ledger.stop();
    expect(sent()).toBeGreaterThan(paused);
  });

  test("an answer that never came is unknown, and right whatever was done", async () => {
    const { ledger, report, stored } = await account({ cutsEvery: 10 });
    expect([...stored]).toEqual([]);
    expect(report.writes.unknown).toBeGreaterThan(5);
    const keyed = ledger.rows.filter((row) => row.keyed).map(({ writes }) => writes[0]?.outcome);
    expect(new Set(keyed)).toEqual(new Set(["acknowledged"]));
    const plain = ledger.rows.filter((row) => !row.keyed).map(({ writes }) => writes[0]?.outcome);
    expect(new Set(plain)).toEqual(new Set(["acknowledged", "unknown"]));
  });

  test("finds acknowledged writes that were lost", async () => {
    const { stored } = await account({ losesEvery: 20 });
    expect(stored).toContain("lost");
  });

  test("finds refused writes that were stored", async () => {
    const { stored } = await account({ refusesDoneEvery: 10 });
    expect(stored).toContain("refused but stored");
  });

  test("finds rows that a key did not keep from being stored twice", async () => {
    const { stored } = await account({ cutsEvery: 5, ignoresKeys: true });
    expect(stored).toContain("duplicate");
  });

  test("finds members that differ", async () => {
    const { stored } = await account({ divergesEvery: 20 });
    expect(stored).toContain("divergent members");
    expect(stored).toContain("checksum");
  });

  test("finds own writes that are not seen, and old values beyond their time", async () => {
    const { read } = await account({ readsFirst: true });
    expect(read).toEqual(new Set(["own write not seen", "stale read"]));
  });

  test("counts failed reads", async () => {
    const { report } = await account({ failsReadEvery: 10 });
    expect(report.reads.failed).toBeGreaterThan(5);
  });

  test("goes nowhere but to the stack's own addresses", () => {
    expect(
      () => new Ledger({ targets: { http: "http://192.0.2.1" }, networks: ["10.85.0.0/24"] }),
    ).toThrow("found 192.0.2.1");
  });
});
