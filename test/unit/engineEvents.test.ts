import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { beginEvents, endEvents, withoutDebug } from "../../operations/pulumi";

const diagnostic = (severity: string, message: string) =>
  JSON.stringify({ sequence: 1, diagnosticEvent: { message, severity } });
const step = JSON.stringify({ sequence: 2, resOutputsEvent: { metadata: { op: "create" } } });

describe("the engine's events", () => {
  it("are kept without debug messages, which show secrets, and without what was cut off", () => {
    const error = diagnostic("error", 'said \\"severity\\":\\"debug\\"');
    const secret = diagnostic("debug", "-----BEGIN PRIVATE KEY-----");
    const cutOff = secret.slice(0, -20);
    expect(withoutDebug([step, secret, error, "", cutOff].join("\n"))).toBe(`${step}\n${error}\n`);
    expect(withoutDebug("")).toBe("");
  });

  it("are nobody else's to read while they are written", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-events-"));
    try {
      const file = path.join(folder, "events", "dev-up.json");
      beginEvents(file);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
      writeFileSync(file, `${diagnostic("debug", "secret")}\n${step}\n`);
      endEvents(file);
      expect(readFileSync(file, "utf8")).toBe(`${step}\n`);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
