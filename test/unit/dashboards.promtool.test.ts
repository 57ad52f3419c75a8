import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa, execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stackDashboards } from "../../model/dashboards";
import { rulesFile } from "../../model/alerts";
import { fullPlan } from "./support/alertFiles";

/*
 * The panels' queries as Prometheus itself understands them, types included: each as a rule that
 * records it. Where promtool is not on this computer, dashboards.test.ts still parses them.
 */
const present = execaSync("promtool", ["--version"], { reject: false }).exitCode === 0;

describe.skipIf(!present)("promtool", () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), "holdfast-dashboards-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const check = async (exprs: readonly string[]) => {
    const rules = exprs.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "1m"),
    }));
    const file = path.join(folder, "panels.yml");
    writeFileSync(file, rulesFile([{ name: "panels", interval: "5s", rules }]));
    const { exitCode, all } = await execa("promtool", ["check", "rules", file], {
      reject: false,
      all: true,
    });
    return { ok: exitCode === 0, output: all };
  };

  it("accepts the query of every panel", async () => {
    const exprs = stackDashboards(fullPlan).flatMap(({ sections }) =>
      sections.flatMap(({ panels }) =>
        panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
      ),
    );
    expect(await check(exprs)).toMatchObject({ ok: true });
  });

  it("refuses what is no query", async () => {
    expect(await check(["rate(up)"])).toMatchObject({ ok: false });
  });
});
