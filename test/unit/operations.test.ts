import { describe, expect, it } from "vitest";
import { words } from "../../operations/command";
import { failureReasons, remedies } from "../../operations/failure";
import type { GateSpec } from "../../operations/gate";
import { onlyMembers, workFrom } from "../../operations/maintain";
import { afterUp } from "../../operations/outputs";
import { remediesFor } from "../../operations/repair";
import { configuredSource, settingsFrom } from "../../operations/settingsFile";
import { failures, tally, verdict, type JsonReport } from "../support/tally";

describe("words", () => {
  it.each([
    ["", []],
    ["  --target  x ", ["--target", "x"]],
    [`--message "two words" 'and more'`, ["--message", "two words", "and more"]],
    [`--config=a="b c"`, ["--config=a=b c"]],
  ])("splits %j", (text, expected) => {
    expect(words(text)).toEqual(expected);
  });
});

describe("maintenance work", () => {
  it("is a reboot, a command or waiting", () => {
    expect(workFrom("1", undefined, false)).toEqual({ kind: "reboot" });
    expect(workFrom(undefined, "uptime", false)).toEqual({ kind: "command", command: "uptime" });
    expect(workFrom(undefined, undefined, true)).toEqual({ kind: "wait" });
  });

  it("is refused where it is unclear", () => {
    expect(() => workFrom("yes", undefined, true)).toThrow("REBOOT: found yes, allowed: 1");
    expect(() => workFrom("1", "uptime", true)).toThrow("found REBOOT and COMMAND");
    expect(() => workFrom(undefined, undefined, false)).toThrow("there is no terminal to wait at");
  });

  it("is careful with a node that is alone in its tier", () => {
    const spec = (node: string, members: number, required = 1) =>
      ({ node, required, members: Array.from({ length: members }) }) as unknown as GateSpec;
    const specs = [spec("web-a", 1), spec("app-a", 2), spec("machine-vm-web-a", 1, 0)];
    expect(onlyMembers(specs)).toEqual(["web-a"]);
  });
});

describe("repair", () => {
  it.each([
    [undefined, ["replace"]],
    ["exited", ["start", "replace"]],
    ["created", ["start", "replace"]],
    ["running", ["restart", "replace"]],
    ["restarting", ["restart", "replace"]],
    ["paused", ["restart", "replace"]],
    ["dead", ["replace"]],
  ])("of a container that is %s tries %j", (state, remedyList) => {
    expect(remediesFor(state === undefined ? undefined : { state })).toEqual(remedyList);
  });
});

describe("going down", () => {
  it.each([
    ["", "lab"],
    ["config: {}", "lab"],
    ["config:\n  holdfast:machines:\n    network: 10.0.0.0/24", "lab"],
    ["config:\n  holdfast:machines:\n    source: lab", "lab"],
    ["config:\n  holdfast:machines:\n    source: inventory", "inventory"],
  ])("knows the source of machines in %j", (text, source) => {
    expect(configuredSource(settingsFrom(text))).toBe(source);
  });
});

describe("the reasons of a failure", () => {
  const event = (message: string, severity = "error", about = "web-a-gate") =>
    JSON.stringify({
      diagnosticEvent: {
        urn: `urn:pulumi:dev::holdfast::command:local:Command::${about}`,
        message,
        severity,
      },
    });

  it("are each error once, with its resource, without colours", () => {
    const log = [
      event("<{%reset%}>web-a did not come into service: no\nlast line<{%reset%}>\n"),
      event("<{%reset%}>web-a did not come into service: no\nlast line<{%reset%}>\n"),
      event("only a warning", "warning"),
      event("update failed"),
      JSON.stringify({ preludeEvent: {} }),
      "",
    ].join("\n");
    expect(failureReasons(log)).toEqual([
      "web-a-gate: web-a did not come into service: no\nlast line",
    ]);
  });

  it("leave out a program's stack trace", () => {
    const message = [
      "Running program '/x' failed with an unhandled exception:",
      "SettingsError: 1 setting is wrong; nothing was changed:",
      "  holdfast:webPool.count: found 0, allowed: at least 1",
      "    at parseSettings (file:///x/model/settings.ts:1:2)",
      "    at async file:///x/index.ts:3:4",
    ].join("\n");
    const log = JSON.stringify({
      diagnosticEvent: {
        urn: "urn:pulumi:dev::holdfast::pulumi:pulumi:Stack::holdfast-dev",
        message,
        severity: "error",
      },
    });
    expect(failureReasons(log)).toEqual([
      "SettingsError: 1 setting is wrong; nothing was changed:\n  holdfast:webPool.count: found 0, allowed: at least 1",
    ]);
  });

  it("leave out what Node prints around an error", () => {
    const message = [
      '<ref *1> Error: error serializing property "create": error serializing property "host": machine vm-web-b: it does not answer',
      "if it is lost: make replace-machine",
      "    at awaitEngine \u001b[90m(file:///x/\u001b[39moperations/reach.ts:1:1104\u001b[90m)\u001b[39m",
      "    at async Promise.all (index 5) {",
      "  promise: Promise { \u001b[36m<rejected>\u001b[39m \u001b[36m[Circular *1]\u001b[39m }",
      "}",
    ].join("\n");
    expect(
      failureReasons(event(message, "error", "x").replace("::x", "::pulumi:pulumi:Stack::x")),
    ).toEqual(["machine vm-web-b: it does not answer\nif it is lost: make replace-machine"]);
  });

  it("come with what to do where that is known", () => {
    const conflict = `Conflict. The container name "/holdfast-dev-vm-web-a" is already in use by container "1"`;
    expect(remedies([conflict], "dev", "linux")).toEqual([
      "the lab of stack dev exists but its state does not hold it; remove it with: make down STACK=dev",
    ]);
    expect(remedies(["the stack is currently locked by 1 lock(s)"], "dev", "linux")).toEqual([
      "another update of stack dev runs; wait for it, or if it is dead: pulumi cancel --stack dev",
    ]);
    const silent = "machine vm-lb-a: it does not answer over SSH at root@10.77.0.11:22";
    expect(remedies([silent], "dev", "linux")).toEqual([]);
    expect(remedies([silent], "dev", "darwin")).toHaveLength(1);
  });
});

describe("the end of make up", () => {
  it("says where the stack is and what to do next", () => {
    expect(afterUp("dev", { url: "http://10.77.0.5" })).toBe(
      [
        "",
        "stack dev is up",
        "  url:   http://10.77.0.5",
        "  try:   curl http://10.77.0.5/",
        "  load:  make load SCENARIO=smoke STACK=dev",
        "  down:  make down STACK=dev",
      ].join("\n"),
    );
  });
});

describe("the tests' tally", () => {
  const report = (passed: number, failed: number, broken = 0): JsonReport => ({
    numPassedTests: passed,
    numFailedTests: failed,
    testResults: [
      { status: "passed", assertionResults: [{ status: "passed" }] },
      ...Array.from({ length: broken }, () => ({ status: "failed", assertionResults: [] })),
    ],
  });

  it("counts tests, files that could not run, and runs that failed for another reason", () => {
    expect(tally(report(3, 0), 0)).toEqual({ passed: 3, failed: 0 });
    expect(tally(report(3, 2), 1)).toEqual({ passed: 3, failed: 2 });
    expect(tally(report(3, 0, 1), 1)).toEqual({ passed: 3, failed: 1 });
    expect(tally(report(3, 0), 1)).toEqual({ passed: 3, failed: 1 });
    expect(tally(undefined, 0)).toEqual({ passed: 0, failed: 1 });
  });

  it("is well only where something passed and nothing failed", () => {
    expect(verdict([tally(report(3, 0), 0), tally(report(2, 0), 0)])).toEqual({
      line: "5 passed, 0 failed",
      ok: true,
    });
    expect(verdict([{ passed: 5, failed: 1 }])).toEqual({ line: "5 passed, 1 failed", ok: false });
    expect(verdict([{ passed: 0, failed: 0 }])).toEqual({ line: "0 passed, 0 failed", ok: false });
  });

  it("is preceded by what failed and why, without colours and places in code", () => {
    const failed = {
      status: "failed",
      fullName: "a stack stands",
      failureMessages: ["\u001b[31mError: it fell\u001b[39m\nand lay\n    at a.ts:1:2"],
    };
    const testResults = [
      { status: "failed", assertionResults: [{ status: "passed" }, failed] },
      { status: "failed", name: "b.test.ts", message: "no import", assertionResults: [] },
    ];
    expect(failures({ numPassedTests: 1, numFailedTests: 1, testResults })).toEqual([
      "a stack stands: Error: it fell\nand lay",
      "b.test.ts: no import",
    ]);
    expect(failures(undefined)).toEqual([]);
  });
});
