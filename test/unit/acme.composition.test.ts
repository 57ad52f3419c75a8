import { beforeAll, describe, expect, it, vi } from "vitest";
import "./support/noMachines";
import { recordRegistrations, type Registration } from "./support/registrations";

interface Upload {
  readonly file: string;
  readonly content: unknown;
}

/** How Pulumi marks a secret on its way to the engine. */
const secretMark = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

describe("a stack with certificates by ACME", () => {
  let log: Registration[];
  const named = (name: string) => log.filter((entry) => entry.name === name);
  const inputsOf = (node: string) =>
    named(`${node}-container`)[0]?.inputs as unknown as {
      volumes: unknown;
      uploads: readonly Upload[] | { value: readonly Upload[] };
    };
  const uploadsOf = (node: string) => {
    const { uploads } = inputsOf(node);
    const list = "value" in uploads ? uploads.value : uploads;
    return new Map(list.map(({ file, content }) => [file, content]));
  };

  beforeAll(async () => {
    vi.resetModules();
    const loadBalancer = {
      certificate: "acme",
      hostnames: ["shop.example.com"],
      acme: { email: "ops@example.com", termsAgreed: true },
    };
    log = await recordRegistrations({ loadBalancer }, () => import("../../index"));
  });

  it("has one account, whose key both load balancers get, and nobody else sees", () => {
    expect(named("lb-acme-key")).toHaveLength(1);
    const [a, b] = ["lb-a", "lb-b"].map(uploadsOf);
    for (const file of ["/etc/holdfast/acme/account.key", "/etc/holdfast/acme/answer"]) {
      expect(a?.get(file)).toBeDefined();
      expect(a?.get(file)).toEqual(b?.get(file));
    }
    const text = JSON.stringify(a?.get("/etc/holdfast/acme/account.key"));
    const whole = JSON.stringify(inputsOf("lb-a").uploads);
    // Marked itself, or the list that it is in.
    expect(text.includes(secretSignature) || whole.startsWith(`{"${secretMark}"`)).toBe(true);
    expect(uploadsOf("web-a").has("/etc/holdfast/acme/account.key")).toBe(false);
  });

  it("has a certificate of its own for each load balancer, and a volume that outlives it", () => {
    for (const node of ["lb-a", "lb-b"]) {
      expect(named(`pki-${node}`)).toHaveLength(1);
      expect(uploadsOf(node).has("/etc/holdfast/tls/node.key")).toBe(true);
      expect(JSON.stringify(inputsOf(node).volumes)).toContain(
        `{"containerPath":"/var/lib/acme","volumeName":"holdfast-${node}"}`,
      );
    }
  });
});
