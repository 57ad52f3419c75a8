import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa, execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { alertmanagerFiles, alertingSchema } from "../../model/alertsRouting";
import { alertCases, promtoolFiles } from "./support/alertFiles";
import { promtoolFile, testsOf } from "./support/promtool";

/*
 * The rules as Prometheus itself understands them. promtool and amtool are in Debian's packages
 * prometheus and prometheus-alertmanager; where they are not on this computer, the live suite still
 * runs the same files in the image of the monitoring nodes.
 */
const present = (tool: string) => execaSync(tool, ["--version"], { reject: false }).exitCode === 0;

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), "holdfast-rules-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function promtool(files: Readonly<Record<string, string>>, ...args: string[]) {
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const result = await execa("promtool", args, { cwd: folder, reject: false, all: true });
  return { ok: result.exitCode === 0, output: result.all };
}

describe.skipIf(!present("promtool"))("promtool", () => {
  const files = promtoolFiles();
  const names = (prefix: string) => Object.keys(files).filter((name) => name.startsWith(prefix));

  it.each(names("rules-"))("accepts %s", async (name) => {
    expect(await promtool(files, "check", "rules", name)).toMatchObject({ ok: true });
  });

  it.each(names("test-"))(
    "finds that alerts fire and stay silent as they must: %s",
    { timeout: 300_000 },
    async (name) => {
      const { ok, output } = await promtool(files, "test", "rules", name);
      expect(ok, output).toBe(true);
    },
  );

  it("tells of an alert that fires where it must not, and the other way round", async () => {
    const tests = alertCases
      .filter(({ alert, timeScale }) => alert === "MysqlNoPrimary" && timeScale === undefined)
      .flatMap((each) => {
        const [fires, silent] = testsOf(each);
        return fires && silent
          ? [
              { ...fires, series: silent.series },
              { ...silent, series: fires.series },
            ]
          : [];
      });
    const swapped = { ...files, "swapped.yml": promtoolFile("rules-1.yml", tests) };
    const { ok, output } = await promtool(swapped, "test", "rules", "swapped.yml");
    expect(ok).toBe(false);
    // One that fires though it must not, and one that does not though it must.
    expect(output).toMatch(/exp:\s*nil/);
    expect(output).toMatch(/got:\s*nil/);
  });
});

describe.skipIf(!present("amtool"))("amtool", () => {
  const settings = {
    nobody: {},
    everybody: {
      receivers: {
        oncall: { email: "oncall@example.com", severities: ["page"] },
        chat: { webhook: "https://chat.example.com/hook" },
      },
      smtp: { server: "mail.example.com:587", user: "holdfast", password: "a secret" },
      deadMansSwitch: "https://watch.example.com/ping",
    },
  };

  it.each(Object.entries(settings))("accepts the configuration for %s", async (_name, raw) => {
    writeFileSync(
      path.join(folder, "alertmanager.yml"),
      alertmanagerFiles(alertingSchema.parse(raw)).config,
    );
    const result = await execa("amtool", ["check-config", "alertmanager.yml"], {
      cwd: folder,
      reject: false,
      all: true,
    });
    expect(result.exitCode, result.all).toBe(0);
  });

  it.each([
    ["Watchdog", ["alertname=Watchdog", "severity=none"], "dead-mans-switch"],
    ["a signal", ["alertname=DeployRunning", "severity=none", "scope=signal"], "nobody"],
    ["what users see", ["severity=page", "scope=users"], "page"],
    ["a risk that pages", ["severity=page", "scope=risk"], "page"],
    ["a risk that waits", ["severity=ticket", "scope=risk"], "ticket"],
    ["a node", ["severity=page", "scope=node"], "page"],
    ["a target", ["severity=ticket", "scope=target"], "ticket"],
  ])("routes %s", async (_what, labels, receiver) => {
    writeFileSync(
      path.join(folder, "alertmanager.yml"),
      alertmanagerFiles(alertingSchema.parse(settings.everybody)).config,
    );
    const { stdout } = await execa(
      "amtool",
      ["config", "routes", "test", "--config.file=alertmanager.yml", ...labels],
      { cwd: folder },
    );
    expect(stdout.trim()).toBe(receiver);
  });
});
