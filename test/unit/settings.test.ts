import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SettingsError, parseSettings, settingsSchemas, type Problem } from "../../model/settings";
import { planStack, readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { inventory, validSettings } from "./support/settings";

const topLevelKeys = Object.keys(settingsSchemas(tiers)).join(", ");

/** What a configuration is told, or nothing. */
function problems(raw: Record<string, unknown>): readonly Problem[] {
  try {
    readPlan(tiers, raw);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

const lines = (raw: Record<string, unknown>) =>
  problems(raw).map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);

describe("settings", () => {
  it("need nothing: every key has a default or may be missing", () => {
    const settings = parseSettings(tiers, {});
    expect(settings.machines).toEqual({
      source: "lab",
      network: "10.77.0.0/24",
      interface: "eth0",
      adminNetworks: ["0.0.0.0/0"],
      list: {},
    });
    expect(settings.webPool.count).toBe(2);
  });

  it("take an empty section for its defaults", () => {
    expect(parseSettings(tiers, { webPool: null }).webPool.count).toBe(2);
  });

  it("turn numbers and truth values of the environment into text", () => {
    const { appPool } = parseSettings(tiers, {
      appPool: { environment: { GREETING: "hello", SIZE: 3, DEBUG: true } },
    });
    expect(appPool.environment).toEqual({ GREETING: "hello", SIZE: "3", DEBUG: "true" });
  });

  it("report all mistakes at once, in one message", () => {
    const error = new SettingsError(
      problems({
        webPol: {},
        webPool: { count: "3", prot: 80 },
        loadBalancer: { edgeVip: "10.77.0.6" },
      }),
    );
    expect(error.message).toBe(
      [
        "4 settings are wrong; nothing was changed:",
        `  holdfast:webPol: found a mapping, allowed: no such key (did you mean webPool?); the keys are ${topLevelKeys}`,
        '  holdfast:webPool.count: found "3", allowed: a whole number from 1 to 9',
        "  holdfast:webPool.prot: found 80, allowed: no such key (did you mean port?); the keys are count, machines, port, tls, tlsPort, edgeHttpPort, edgeHttpsPort, readTimeoutSeconds, drainSeconds",
        "  holdfast:loadBalancer.internalVip: found 10.77.0.6, allowed: an address other than holdfast:loadBalancer.edgeVip",
      ].join("\n"),
    );
  });

  it("say one mistake in the singular", () => {
    expect(new SettingsError(problems({ webPool: { count: 0 } })).message).toBe(
      [
        "1 setting is wrong; nothing was changed:",
        "  holdfast:webPool.count: found 0, allowed: a whole number from 1 to 9",
      ].join("\n"),
    );
  });
});

describe("a wrong value", () => {
  it.each<[string, Record<string, unknown>, string]>([
    [
      "unknown top-level key",
      { database: {} },
      `holdfast:database: a mapping | no such key; the keys are ${topLevelKeys}`,
    ],
    [
      "unknown key with another case",
      { appPool: { healthpath: "/" } },
      "holdfast:appPool.healthpath: text | no such key (did you mean healthPath?); the keys are count, machines, image, sample, command, migrationCommand, migrationTimeoutSeconds, port, tls, tlsPort, endpointPort, endpointTlsPort, healthPath, readyPath, healthCommand, metricsPath, environment, secrets, user, memoryMegabytes, stopTimeoutSeconds, startTimeoutSeconds",
    ],
    [
      "unknown key of a listed machine",
      { machines: { list: { one: { adress: "10.77.0.101" } } } },
      "holdfast:machines.list.one.adress: text | no such key (did you mean address?); the keys are address, sshHost, sshPort, sshUser, hostKey, interface, failureDomain",
    ],
    [
      "text for a number",
      { webPool: { port: "8080" } },
      'holdfast:webPool.port: "8080" | a whole number from 1 to 65535',
    ],
    [
      "a fraction",
      { loadBalancer: { maxConnections: 100.5 } },
      "holdfast:loadBalancer.maxConnections: 100.5 | a whole number, at least 100",
    ],
    ["a number for text", { appPool: { image: 7 } }, "holdfast:appPool.image: 7 | text"],
    [
      "text for a truth value",
      { registry: { insecure: "yes" } },
      'holdfast:registry.insecure: "yes" | true or false',
    ],
    [
      "text for a section",
      { webPool: "two" },
      'holdfast:webPool: "two" | a mapping with the keys count, machines, port, tls, tlsPort, edgeHttpPort, edgeHttpsPort, readTimeoutSeconds, drainSeconds',
    ],
    [
      "text for a list",
      { webPool: { machines: "vm-web-a" } },
      'holdfast:webPool.machines: "vm-web-a" | a list, each entry text',
    ],
    [
      "a list for a mapping",
      { machines: { list: [{ address: "10.77.0.101" }] } },
      "holdfast:machines.list: a list of mappings or lists | a mapping of names to mappings",
    ],
    [
      "nothing for a listed machine",
      { machines: { list: { one: null } } },
      "holdfast:machines.list.one: null | a mapping with the keys address, sshHost, sshPort, sshUser, hostKey, interface, failureDomain",
    ],
    [
      "a number below its range",
      { appPool: { memoryMegabytes: 8 } },
      "holdfast:appPool.memoryMegabytes: 8 | a whole number, at least 16",
    ],
    [
      "a number above its range",
      { loadBalancer: { count: 3 } },
      "holdfast:loadBalancer.count: 3 | a whole number from 0 to 2",
    ],
    [
      "a tier that cannot be left out",
      { appPool: { count: 0 } },
      "holdfast:appPool.count: 0 | a whole number from 1 to 9",
    ],
    [
      "more nodes than the lab has addresses for",
      { webPool: { count: 10 } },
      "holdfast:webPool.count: 10 | a whole number from 1 to 9",
    ],
    [
      "a word that is none of the allowed",
      { machines: { source: "cloud" } },
      'holdfast:machines.source: "cloud" | one of "lab", "inventory"',
    ],
    [
      "another user than root",
      { machines: { list: { one: { sshUser: "debian" } } } },
      'holdfast:machines.list.one.sshUser: "debian" | one of "root"',
    ],
    [
      "no address",
      { loadBalancer: { edgeVip: "10.77.0.256" } },
      'holdfast:loadBalancer.edgeVip: "10.77.0.256" | an IPv4 address such as 10.77.0.21',
    ],
    [
      "no network",
      { machines: { network: "10.77.0.0" } },
      'holdfast:machines.network: "10.77.0.0" | an IPv4 network such as 10.77.0.0/24',
    ],
    [
      "no network in a list",
      { machines: { adminNetworks: ["10.0.0.0/8", "office"] } },
      'holdfast:machines.adminNetworks.1: "office" | an IPv4 network such as 10.77.0.0/24',
    ],
    [
      "nobody may log in",
      { machines: { adminNetworks: [] } },
      "holdfast:machines.adminNetworks: [] | a list of at least 1, each entry an IPv4 network such as 10.77.0.0/24",
    ],
    [
      "a machine's key in capitals",
      { machines: { list: { Web: {} } } },
      'holdfast:machines.list.Web: the key "Web" | a machine\'s key has lower-case letters, digits and hyphens',
    ],
    [
      "a host key that is a fingerprint",
      { machines: { list: { one: { hostKey: "SHA256:abc" } } } },
      "holdfast:machines.list.one.hostKey: \"SHA256:abc\" | must be a public host key such as 'ssh-ed25519 AAAA...' (ssh-keyscan prints it)",
    ],
    [
      "an SSH host that is an option of ssh",
      { machines: { list: { one: { sshHost: "-oProxyCommand=x" } } } },
      'holdfast:machines.list.one.sshHost: "-oProxyCommand=x" | a host name or an address, without a user',
    ],
    [
      "an interface name with a space",
      { machines: { interface: "eth 0" } },
      'holdfast:machines.interface: "eth 0" | the name of a network interface',
    ],
    [
      "a registry with a scheme",
      { registry: { address: "https://registry.example.com" } },
      'holdfast:registry.address: "https://registry.example.com" | host, optional port and path such as registry.example.com:5000/team, without https://',
    ],
    [
      "a path without a slash",
      { appPool: { readyPath: "readyz" } },
      'holdfast:appPool.readyPath: "readyz" | a path starts with /',
    ],
    [
      "a variable with a hyphen",
      { appPool: { environment: { "LOG-LEVEL": "info" } } },
      'holdfast:appPool.environment.LOG-LEVEL: the key "LOG-LEVEL" | the name of a variable has letters, digits and underscores',
    ],
    [
      "a variable that is a list",
      { appPool: { environment: { HOSTS: ["a", "b"] } } },
      'holdfast:appPool.environment.HOSTS: ["a","b"] | text or a number or true or false',
    ],
    [
      "a secret that is a path",
      { appPool: { secrets: { "../key": "x" } } },
      'holdfast:appPool.secrets.../key: the key "../key" | the name of a secret is a plain file name',
    ],
    [
      "a user by name",
      { appPool: { user: "www-data" } },
      'holdfast:appPool.user: "www-data" | a numeric user, `uid` or `uid:gid`',
    ],
    [
      "a generation before the first",
      { pki: { generation: 0 } },
      "holdfast:pki.generation: 0 | a whole number, at least 1",
    ],
    [
      "an unknown stage of the authority before",
      { pki: { generation: 2, previous: "gone" } },
      'holdfast:pki.previous: "gone" | one of "signs", "trusted", "dropped"',
    ],
    [
      "a stage of the authority before the first",
      { pki: { previous: "dropped" } },
      'holdfast:pki.previous: "dropped" | nothing, because holdfast:pki.generation is 1 and no authority was before it',
    ],
  ])("%s", (_, raw, message) => {
    expect(lines(raw)).toEqual([message]);
  });

  it("is cut where it is long", () => {
    expect(lines({ webPool: { count: "x".repeat(200) } })).toEqual([
      `holdfast:webPool.count: "${"x".repeat(76)}... | a whole number from 1 to 9`,
    ]);
  });
});

describe("a secret", () => {
  const secret = "hunter2-hunter2";
  it.each<[string, Record<string, unknown>]>([
    ["as a private key", { machines: { privateKey: secret } }],
    ["as a private key in a list", { machines: { privateKey: [secret] } }],
    ["as a password of the wrong type", { registry: { password: { value: secret } } }],
    ["under a mistyped key", { registry: { pasword: secret } }],
    ["under a mistyped section", { registri: { password: secret } }],
    ["in place of a mapping of secrets", { appPool: { secrets: secret } }],
    ["in a list of secrets", { appPool: { secrets: [secret] } }],
    ["as a nested secret", { appPool: { secrets: { key: { value: secret } } } }],
    ["in a list in place of a section", { registry: [{ password: secret }] }],
    ["in the lab, where it has no place", { registry: { username: "me", password: secret } }],
    [
      "beside a mistake elsewhere",
      { registry: { password: secret, username: 5 }, webPool: { count: 0 } },
    ],
  ])("never appears in a message: %s", (_, raw) => {
    const found = lines(raw);
    expect(found).not.toEqual([]);
    expect(found.join("\n")).not.toContain("hunter2");
  });
});

describe("any settings", () => {
  it("that are valid are read, planned, and read again to the same", () => {
    fc.assert(
      fc.property(validSettings, (raw) => {
        const settings = parseSettings(tiers, raw);
        expect(() => planStack(tiers, settings)).not.toThrow();
        expect(parseSettings(tiers, settings as unknown as Record<string, unknown>)).toEqual(
          settings,
        );
      }),
    );
  });

  it("with one unknown key yield exactly that mistake", () => {
    const places = [
      [],
      ["machines"],
      ["registry"],
      ["loadBalancer"],
      ["appPool"],
      ["webPool"],
      ["machines", "list", "n1"],
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.stringMatching(/^[a-z]{3,12}Zz$/),
        fc.jsonValue(),
        (place, key, value) => {
          const raw = structuredClone(inventory) as Record<string, unknown>;
          const at = place.reduce((here, step) => here[step] as Record<string, unknown>, raw);
          at[key] = value;
          const found = problems(raw);
          expect(found.map((problem) => problem.key)).toEqual([
            `holdfast:${[...place, key].join(".")}`,
          ]);
          expect(found[0]?.allowed).toMatch(/^no such key/);
        },
      ),
    );
  });

  it("whatever they are, are refused with messages or accepted, never with another error", () => {
    const names = ["machines", "registry", "loadBalancer", "appPool", "webPool", "other"];
    const anything = fc.dictionary(
      fc.constantFrom(...names),
      fc.oneof(
        fc.jsonValue(),
        fc.dictionary(
          fc.constantFrom("count", "machines", "port", "list", "network", "source", "edgeVip"),
          fc.jsonValue(),
        ),
      ),
    );
    fc.assert(
      fc.property(anything, (raw) => {
        for (const { key, found, allowed } of problems(raw)) {
          expect(key).toMatch(/^holdfast:/);
          expect(found).not.toBe("");
          expect(allowed).not.toBe("");
        }
      }),
      { numRuns: 300 },
    );
  });
});
