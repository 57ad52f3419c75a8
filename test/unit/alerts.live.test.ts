import { describe, expect, it } from "vitest";
import {
  besideEachOther,
  cannotBeCaused,
  oneAfterTheOther,
  ofTheirOwn,
  settings,
} from "../e2e/alerts/cases";
import { longestPauseSeconds } from "../../components/backup.alerts";
import { clockOf, sloSchema } from "../../model/slo";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { allAlerts } from "./support/alertFiles";

const cases = [...besideEachOther, ...oneAfterTheOther];
const names = allAlerts().map(({ name }) => name);
const alertOf = (name: string) => allAlerts().find((alert) => alert.name === name)!;

describe("live cases of alerts", () => {
  it("are there for every alert, but for those that cannot be caused in the lab", () => {
    const told = [
      ...cases.map(({ alert }) => alert),
      ...ofTheirOwn,
      ...Object.keys(cannotBeCaused),
    ];
    expect([...told].sort()).toEqual([...names].sort());
  });

  it("give a reason for every alert that is not caused, every other time and every other message", () => {
    const reasons = [
      ...Object.values(cannotBeCaused),
      ...cases.flatMap(({ within, overWithin, alongside = {}, afterwards = {} }) => [
        ...(within ? [within.because] : []),
        ...(overWithin ? [overWithin.because] : []),
        ...Object.values({ ...alongside, ...afterwards }),
      ]),
    ];
    for (const reason of reasons) expect(reason.length).toBeGreaterThan(10);
  });

  it("expect nothing beside them that is not an alert", () => {
    const beside = cases.flatMap(({ alongside = {}, afterwards = {} }) =>
      Object.keys({ ...alongside, ...afterwards }),
    );
    expect(beside.filter((name) => !names.includes(name))).toEqual([]);
  });

  it("expect at most one page a fault while it lasts", () => {
    for (const { alert, alongside = {} } of cases) {
      const pages = Object.keys(alongside).filter((name) => alertOf(name).severity === "page");
      expect(pages, alert).toEqual([]);
    }
  });

  it("last at the same time only where none of them silences or explains another", () => {
    // What is in these scopes silences others while it fires.
    const loud = ["users", "tier", "node"];
    for (const { alert } of besideEachOther) {
      const { scope, severity } = alertOf(alert);
      expect(loud, alert).not.toContain(scope);
      expect(scope === "budget" && severity === "page", alert).toBe(false);
    }
  });

  it("have settings that the stack accepts, and under which no full backup becomes too old", () => {
    const plan = readPlan(tiers, { redisCache: { count: 3 }, ...settings });
    expect(plan.settings.mysqlCluster.maxApplyQueue).toBe(settings.mysqlCluster.maxApplyQueue);
    const clock = clockOf(sloSchema.parse(settings.slo));
    const limit = clock.windowSeconds(1.5 * longestPauseSeconds(settings.backup.schedule));
    expect(limit).toBeGreaterThan(90 * 60);
  });
});
