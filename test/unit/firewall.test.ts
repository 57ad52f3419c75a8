import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowedElements, minimal, type AllowedElement } from "../../model/connections";
import {
  firewallCloseScript,
  firewallOpenScript,
  firewallRemoveScript,
  firewallRules,
  firewallShellCommand,
} from "../../model/firewall";
import { projectRoot } from "../../model/rendering";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";

const plan = readPlan(tiers, {});
const elements: readonly AllowedElement[] = [
  { source: "0.0.0.0/0", protocol: "tcp", port: 22 },
  { source: "10.77.0.11/32", protocol: "tcp", port: 8080 },
  { source: "10.77.0.12/32", protocol: "udp", port: 8405 },
  { source: "10.77.0.12/32", protocol: "vrrp", port: undefined },
];

/** What nft has against the rules; a network namespace of its own, so nothing is touched. */
function refusal(rules: string): string {
  const { status, stderr } = spawnSync("unshare", ["-rn", "nft", "-c", "-f", "-"], {
    input: rules,
    encoding: "utf8",
  });
  return status === 0 ? "" : stderr || `exit code ${status}`;
}

const nftWorks = refusal("table inet probe {}\n") === "";

describe("the rules of a machine", () => {
  it("let in the elements, and remember each as a rule", () => {
    const text = firewallRules(elements);
    expect(text.split("\n").filter((line) => line.startsWith("# allowed: "))).toEqual([
      "# allowed: ip saddr 0.0.0.0/0 tcp dport 22 accept",
      "# allowed: ip saddr 10.77.0.11/32 tcp dport 8080 accept",
      "# allowed: ip saddr 10.77.0.12/32 udp dport 8405 accept",
      "# allowed: ip saddr 10.77.0.12/32 meta l4proto 112 accept",
    ]);
    expect(text).toContain(
      [
        "    elements = {",
        "      0.0.0.0/0 . tcp . 22,",
        "      10.77.0.11/32 . tcp . 8080,",
        "      10.77.0.12/32 . udp . 8405,",
        "    }",
      ].join("\n"),
    );
    expect(text).toContain("    elements = {\n      10.77.0.12/32,\n    }");
  });

  it("touch one table, replaced in one step, and drop what nobody allowed", () => {
    const statements = firewallRules(elements)
      .split("\n")
      .filter((line) => /^[a-z]/.test(line));
    expect(statements).toEqual([
      "table inet holdfast {}",
      "delete table inet holdfast",
      "table inet holdfast {",
    ]);
    expect(firewallRules(elements)).not.toMatch(/flush/);
    for (const hook of ["input", "forward"]) {
      expect(firewallRules(elements)).toContain(
        `type filter hook ${hook} priority filter + 10; policy drop;`,
      );
    }
  });

  it("drop invalid packets before new connections are let in, after every other table", () => {
    const rules = firewallRules(elements)
      .split("\n")
      .map((line) => line.trim());
    const at = (rule: string) => rules.indexOf(rule);
    expect(at("ct state established,related accept")).toBeGreaterThan(0);
    expect(at("ct state invalid counter drop")).toBeGreaterThan(
      at("ct state established,related accept"),
    );
    expect(at("ip saddr . meta l4proto . th dport @allowed accept")).toBeGreaterThan(
      at("ct state invalid counter drop"),
    );
  });

  it.runIf(nftWorks)("are accepted by nft for every machine, and with nothing allowed", () => {
    expect(refusal(firewallRules([]))).toBe("");
    for (const { key } of plan.machines) {
      expect(refusal(firewallRules(allowedElements(plan, key)))).toBe("");
    }
  });

  it.runIf(nftWorks)(
    "are refused by nft where sources overlap, which is why they are minimal",
    () => {
      const overlapping: AllowedElement[] = [
        { source: "10.77.0.0/24", protocol: "tcp", port: 80 },
        { source: "10.77.0.9/32", protocol: "tcp", port: 80 },
      ];
      expect(refusal(firewallRules(overlapping))).toMatch(/conflict|overlap|exist/i);
      expect(refusal(firewallRules(minimal(overlapping)))).toBe("");
    },
  );

  it.runIf(nftWorks)("are accepted by nft whatever is allowed", () => {
    const element = fc.record({
      source: fc
        .tuple(fc.constantFrom("0.0.0.0", "10.0.0.0", "10.128.0.0"), fc.constantFrom(0, 9, 24, 32))
        .map(([address, bits]) => (bits === 0 ? "0.0.0.0/0" : `${address}/${bits}`)),
      protocol: fc.constantFrom<AllowedElement["protocol"]>("tcp", "udp"),
      port: fc.integer({ min: 1, max: 65535 }),
    });
    fc.assert(
      fc.property(fc.array(element, { maxLength: 20 }), (some) => {
        expect(refusal(firewallRules(minimal(some)))).toBe("");
      }),
      { numRuns: 15 },
    );
  });
});

describe("the scripts of a machine", () => {
  const scripts = {
    open: firewallOpenScript(elements),
    close: firewallCloseScript(elements),
    remove: firewallRemoveScript(),
  };

  it.each(Object.entries(scripts))("%s: shell without a finding", (_, script) => {
    expect(spawnSync("bash", ["-n"], { input: script, encoding: "utf8" }).stderr).toBe("");
    const { error, stdout } = spawnSync("shellcheck", ["-s", "bash", "-"], {
      input: script,
      encoding: "utf8",
    });
    if (!error) expect(stdout).toBe("");
  });

  it("carry the rules and are the same for the same elements", () => {
    expect(scripts.open).toContain(firewallRules(elements).trimEnd());
    expect(scripts.open).toBe(firewallOpenScript(elements.map((element) => ({ ...element }))));
  });

  it("differ in one thing: open keeps what was allowed before", () => {
    const lines = (script: string) => script.split("\n");
    const more = lines(scripts.open).filter((line) => !lines(scripts.close).includes(line));
    expect(lines(scripts.close).filter((line) => !lines(scripts.open).includes(line))).toEqual([]);
    expect(more.join("\n")).toContain('>"$folder/previous"');
  });

  it("load the rules before the engine starts, wherever there is systemd", () => {
    const unit = readFileSync(
      path.join(projectRoot, "configs/firewall/holdfast-firewall.service"),
      "utf8",
    );
    expect(scripts.open).toContain(unit.trimEnd());
    expect(unit).toMatch(/^Before=.*\bdocker\.service\b/m);
  });
});

describe("the deployer's command", () => {
  const ssh = ["ssh", "-o", "IdentityFile=~/.ssh/it's", "-p", "22", "-l", "root", "10.77.0.21"];
  /** Runs the command with a program in place of ssh that notes its arguments and input. */
  const run = (exitCodes: string) =>
    spawnSync(
      "sh",
      [
        "-c",
        `ssh() { printf '<%s>' "$@"; echo " input: $(cat)"; set -- ${exitCodes}; eval "exit_code=\\\${$count}"; count=$((count + 1)); return "$exit_code"; }; count=1; ${firewallShellCommand("vm-web-a", ssh)}`,
      ],
      { input: "the script", encoding: "utf8" },
    );

  it("runs the script, then confirms over a connection of its own", () => {
    const { status, stdout } = run("0 0");
    expect(stdout.split("\n")).toEqual([
      "<-o><IdentityFile=~/.ssh/it's><-p><22><-l><root><10.77.0.21><bash -s> input: the script",
      "<-o><ControlMaster=no><-o><ControlPath=none><-o><IdentityFile=~/.ssh/it's><-p><22><-l><root><10.77.0.21></etc/holdfast/firewall/confirm> input: ",
      "",
    ]);
    expect(status).toBe(0);
  });

  it("fails naming the machine where the new connection does", () => {
    const { status, stderr } = run("0 255");
    expect(status).toBe(1);
    expect(stderr).toBe(
      "machine vm-web-a: its new firewall was not confirmed over a new SSH connection and is taken back within 30 s; check holdfast:machines.adminNetworks\n",
    );
  });

  it("does not confirm what was not applied", () => {
    const { status, stdout } = run("3 0");
    expect(status).toBe(3);
    expect(stdout.trim().split("\n")).toHaveLength(1);
  });

  it("is understood by a plain POSIX shell", () => {
    expect(() =>
      execFileSync("sh", ["-n", "-c", firewallShellCommand("vm-web-a", ssh)]),
    ).not.toThrow();
  });
});
