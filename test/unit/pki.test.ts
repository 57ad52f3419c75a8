import { beforeAll, describe, expect, it, vi } from "vitest";
import type { PkiSettings } from "../../model/settings";
import "./support/noMachines";
import { recordRegistrations, type Registration } from "./support/registrations";

const pkiType = /^tls:index/;

/** What stands for a certificate in the mocks. */
const certificate = (name: string) => `${name} certificate`;

/** A stack at a stage: everything of the authority, and what the nodes are given. */
class Composed {
  outputs: Readonly<Record<string, unknown>> = {};
  private constructor(private readonly log: readonly Registration[]) {}

  static async of(pki: Partial<PkiSettings> | undefined): Promise<Composed> {
    vi.resetModules();
    const outputs: Record<string, unknown> = {};
    const settings = {
      mysqlCluster: { count: 3 },
      redisCache: { count: 3 },
      backup: { count: 1 },
      monitoring: { count: 1 },
      appPool: { sample: "property" },
      ...(pki && { pki }),
    };
    const log = await recordRegistrations(settings, async () => {
      const program = await import("../../index");
      program.caCertificate.apply((value) => (outputs["caCertificate"] = value));
    });
    const composed = new Composed(log);
    composed.outputs = outputs;
    return composed;
  }

  /** Names of keys and certificates of the authority and its leaves. */
  names(): string[] {
    return this.log
      .filter(({ type, name }) => pkiType.test(type) && name.startsWith("pki-"))
      .map(({ name }) => name)
      .sort();
  }

  named(name: string): Registration {
    const found = this.log.find((entry) => entry.name === name);
    if (!found) throw new Error(`no resource ${name}`);
    return found;
  }

  /** The authorities that signed a leaf, by the certificate that it was given. */
  signers(): unknown[] {
    return [
      ...new Set(
        this.log
          .filter(({ type }) => type === "tls:index/locallySignedCert:LocallySignedCert")
          .map(({ inputs }) => inputs["caCertPem"]),
      ),
    ];
  }

  /** What each container trusts, by its name. */
  trust(): Record<string, unknown> {
    const found: Record<string, unknown> = {};
    for (const { name, inputs } of this.log) {
      for (const { file, content } of (inputs["uploads"] ?? []) as {
        file: string;
        content: unknown;
      }[]) {
        if (/\/(store-)?ca\.pem$/.test(file)) found[`${name} ${file}`] = shown(content);
      }
    }
    return found;
  }
}

/** What is in a secret as the SDK hands it on. */
function shown(content: unknown): unknown {
  return typeof content === "object" && content !== null && "value" in content
    ? content.value
    : content;
}

const trusting = [
  "app-a-container /run/secrets/ca.pem",
  "app-b-container /run/secrets/ca.pem",
  "app-migration-container /run/secrets/ca.pem",
  "backup-a-container /etc/holdfast/store-ca.pem",
  "backup-a-container /etc/holdfast/tls/ca.pem",
  "backup-store /etc/holdfast/tls/ca.pem",
  "exporter-mysql-a-container /etc/holdfast/tls/ca.pem",
  "exporter-redis-a-container /etc/holdfast/tls/ca.pem",
  "monitor-a-container /etc/holdfast/tls/ca.pem",
  "mysql-a-container /etc/holdfast/tls/ca.pem",
  "redis-c-container /etc/holdfast/tls/ca.pem",
];

describe("the authority and its certificates", () => {
  let today: Composed;
  beforeAll(async () => {
    today = await Composed.of(undefined);
  });

  it("have the names without a generation where nothing was ever replaced", () => {
    const leaves = ["backup-store", "edge", "mysql-a", "redis-c"];
    const names = today.names();
    expect(names).toEqual(expect.arrayContaining(["pki-ca", "pki-ca-key"]));
    for (const part of ["", "-key", "-request"]) {
      expect(names).toEqual(expect.arrayContaining(leaves.map((leaf) => `pki-${leaf}${part}`)));
    }
    expect(names.filter((name) => /\d/.test(name))).toEqual([]);
    expect(today.named("pki-ca").inputs["subject"]).toEqual({
      commonName: "holdfast unit",
      organization: "Holdfast",
    });
    expect(today.signers()).toEqual([certificate("pki-ca")]);
    expect(today.outputs["caCertificate"]).toBe(certificate("pki-ca"));
    expect(Object.keys(today.trust())).toEqual(expect.arrayContaining(trusting));
    expect([...new Set(Object.values(today.trust()))]).toEqual([certificate("pki-ca")]);
  });

  it.each<[string, PkiSettings, { trusted: string[]; signer: string }]>([
    [
      "trust a new one first",
      { generation: 2, previous: "signs", leafGeneration: 1, metricsTls: "require" },
      { trusted: ["pki-ca-2", "pki-ca"], signer: "pki-ca" },
    ],
    [
      "are signed by it then",
      { generation: 2, previous: "trusted", leafGeneration: 1, metricsTls: "require" },
      { trusted: ["pki-ca-2", "pki-ca"], signer: "pki-ca-2" },
    ],
    [
      "know the old one no more in the end",
      { generation: 2, previous: "dropped", leafGeneration: 1, metricsTls: "require" },
      { trusted: ["pki-ca-2"], signer: "pki-ca-2" },
    ],
    [
      "are replaced again in the same way",
      { generation: 3, previous: "signs", leafGeneration: 1, metricsTls: "require" },
      { trusted: ["pki-ca-3", "pki-ca-2"], signer: "pki-ca-2" },
    ],
  ])("%s", async (_, pki, { trusted, signer }) => {
    const stack = await Composed.of(pki);
    const bundle = trusted.map(certificate).join("");
    expect(stack.signers()).toEqual([certificate(signer)]);
    expect(stack.outputs["caCertificate"]).toBe(bundle);
    expect(Object.keys(stack.trust()).sort()).toEqual(Object.keys(today.trust()).sort());
    expect([...new Set(Object.values(stack.trust()))]).toEqual([bundle]);
    expect(stack.names().filter((name) => /-ca(-\d+)?$/.test(name))).toEqual([...trusted].sort());
    const subjects = trusted.map((name) => JSON.stringify(stack.named(name).inputs["subject"]));
    expect(new Set(subjects).size).toBe(trusted.length);
  });

  it("have new keys with a new generation of leaves, by the same authority", async () => {
    const stack = await Composed.of({ leafGeneration: 2 });
    expect(stack.signers()).toEqual([certificate("pki-ca")]);
    const before = today.names().filter((name) => !name.startsWith("pki-ca"));
    const after = stack.names().filter((name) => !name.startsWith("pki-ca"));
    expect(after).toHaveLength(before.length);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    for (const part of ["", "-key", "-request"]) expect(after).toContain(`pki-mysql-a-2${part}`);
    expect(JSON.stringify(stack.named("mysql-a-container").inputs["uploads"])).toContain(
      certificate("pki-mysql-a-2"),
    );
  });
});
