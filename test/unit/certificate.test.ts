import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { secretsFolder } from "../../components/appPool.files";
import { tlsSecrets } from "../../components/appPool.tier";
import { edgeIdentity } from "../../components/edgeCertificate";
import { monitoringFiles } from "../../components/monitoring.files";
import { tlsFolder, type Pki } from "../../components/pki";
import {
  certificateProblems,
  earliestEnd,
  endOfChain,
  expiryWarning,
  rootOfChain,
} from "../../model/certificate";
import { certificateFiles, certificateMetric } from "../../model/nodeCertificates";
import { SettingsError } from "../../model/settings";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { Authority, type Issued } from "./support/certificates";

const day = 86_400_000;
let authority: Authority;
let other: Authority;
let good: Issued;

beforeAll(() => {
  authority = new Authority();
  other = new Authority();
  good = authority.issue({ names: ["shop.example.com", "*.example.org"] });
});

afterAll(() => {
  authority.remove();
  other.remove();
});

const problems = (
  { chain = good.certificate, privateKey = good.key },
  hostnames: readonly string[] = ["shop.example.com"],
  now = new Date(),
) =>
  certificateProblems({ chain, privateKey }, hostnames, now).map(
    ({ file, allowed }) => `${file}: ${allowed}`,
  );

describe("a certificate of one's own", () => {
  it("is right: alone, with its authority, for a name or a wildcard's", () => {
    expect(problems({})).toEqual([]);
    expect(problems({ chain: good.certificate + authority.certificate })).toEqual([]);
    expect(problems({}, ["www.example.org"])).toEqual([]);
  });

  it("is refused where it is no certificate", () => {
    const expected = ["chain: certificates in PEM, each from its BEGIN line to its END line"];
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (const chain of ["", "hello", broken, good.certificate + broken]) {
      expect(problems({ chain })).toEqual(expected);
    }
  });

  it("is refused with a private key in it", () => {
    expect(problems({ chain: good.certificate + good.key })).toEqual([
      "chain: certificates alone, no private key",
    ]);
  });

  it("is refused without its own private key", () => {
    expect(problems({ privateKey: authority.issue().key })).toEqual([
      "privateKey: the private key of the chain's first certificate",
    ]);
    expect(problems({ privateKey: "hello" })).toEqual([
      "privateKey: a private key in PEM, without a passphrase",
    ]);
  });

  it("is refused for names that it does not have, saying which it has", () => {
    expect(problems({}, ["shop.example.com", "example.com", "a.b.example.org"])).toEqual([
      "chain: a certificate for example.com, a.b.example.org, as hostnames says; this one is for DNS:shop.example.com, DNS:*.example.org",
    ]);
  });

  it("is refused when it has ended or not begun", () => {
    const today = (date: Date) => date.toISOString().slice(0, 10);
    const end = endOfChain(good.certificate);
    const message = `chain: certificates that are valid today; number 1 is valid from ${today(new Date())} to ${today(end)}`;
    expect(problems({}, [], end)).toEqual([message]);
    expect(problems({}, [], new Date(end.getTime() - 1000))).toEqual([]);
    expect(problems({}, [], new Date(Date.now() - day))).toEqual([message]);
  });

  it("is refused in the wrong order, and with what did not issue it", () => {
    expect(problems({ chain: authority.certificate + good.certificate })).toContain(
      "chain: the server's certificate first, then those of its authorities",
    );
    expect(problems({ chain: good.certificate + good.certificate })).toEqual([
      "chain: each certificate before its issuer; number 2 did not issue 1",
    ]);
    const stranger = other.issue({ names: ["x"] });
    expect(problems({ chain: good.certificate + stranger.certificate })).toEqual([
      "chain: each certificate before its issuer; number 2 did not issue 1",
    ]);
  });

  it("is refused with a key that programs no longer accept", () => {
    const weak = authority.issue({ algorithm: "rsa-1024" });
    expect(problems({ chain: weak.certificate, privateKey: weak.key })).toEqual([
      "chain: a key of at least 2048 bits; this one has 1024",
    ]);
  });
});

describe("the end of a chain", () => {
  it("is that of its first certificate to end", () => {
    const soon = authority.issue({ days: 10 });
    const end = endOfChain(good.certificate + soon.certificate);
    expect(Math.round((end.getTime() - Date.now()) / day)).toBe(10);
    expect(() => endOfChain("")).toThrow("found no certificate");
  });

  it("is warned of when it is less than 30 days away", () => {
    const now = new Date("2030-01-01T00:00:00Z");
    const warning = (days: number) =>
      expiryWarning("it", new Date(now.getTime() + days * day), now);
    expect(warning(30)).toBeUndefined();
    expect(warning(29.9)).toBe(
      "it ends on 2030-01-30, in 29 days; put a new one into the settings and update",
    );
    expect(warning(1)).toContain("in 1 day;");
  });
});

describe("of many certificates", () => {
  it("the first to end is named, whatever zone its time is told in", () => {
    expect(
      earliestEnd({
        "pki-ca": "2036-01-01T00:00:00Z",
        "pki-mysql-a": "2027-01-02T03:00:00+05:00",
        "pki-edge": "2027-01-01T23:00:00Z",
      }),
    ).toEqual({ certificate: "pki-mysql-a", notAfter: "2027-01-01T22:00:00.000Z" });
    expect(() => earliestEnd({})).toThrow("no certificate");
  });
});

describe("the metric of a node's certificates", () => {
  it("tells when the first of them ends", () => {
    const pem = good.certificate + authority.certificate;
    expect(certificateMetric("web-a", pem)).toContain(
      `\nholdfast_certificate_expiry_timestamp_seconds{certificate="web-a"} ${endOfChain(pem).getTime() / 1000}\n`,
    );
  });

  it("is not there where the node has none, or none that can be read", () => {
    const broken = "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n";
    expect(certificateMetric("web-a", "")).toBeUndefined();
    expect(certificateMetric("web-a", good.certificate + broken)).toBeUndefined();
  });

  it("comes from where components put them", () => {
    expect(certificateFiles).toEqual([
      [`${tlsFolder}/node.pem`, `${tlsFolder}/ca.pem`],
      [tlsSecrets.certificate, tlsSecrets.authority].map((name) => `${secretsFolder}/${name}`),
    ]);
  });
});

describe("settings with a certificate of one's own", () => {
  const plan = (loadBalancer: Record<string, unknown>) => readPlan(tiers, { loadBalancer });
  const mistakes = (loadBalancer: Record<string, unknown>) => {
    try {
      plan(loadBalancer);
      return [];
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      return error.problems.map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);
    }
  };
  const files = () => ({
    certificate: "files",
    hostnames: ["shop.example.com"],
    secrets: { certificateChain: good.certificate, certificateKey: good.key },
  });

  it("are taken", () => expect(mistakes(files())).toEqual([]));

  it("are refused before anything, without showing a secret", () => {
    const wrong = authority.issue({ names: ["www.example.com"] });
    const found = mistakes({
      ...files(),
      secrets: { certificateChain: wrong.certificate, certificateKey: good.key },
    });
    expect(found).toEqual([
      "holdfast:loadBalancer.secrets.certificateChain: a secret value | a certificate for shop.example.com, as hostnames says; this one is for DNS:www.example.com",
      "holdfast:loadBalancer.secrets.certificateKey: a secret value | the private key of the chain's first certificate",
    ]);
  });

  it("need all parts, and are refused where they are not used", () => {
    const files = "because holdfast:loadBalancer.certificate is files";
    expect(mistakes({ certificate: "files" })).toEqual([
      `holdfast:loadBalancer.secrets.certificateChain: nothing | certificates in PEM, ${files}`,
      `holdfast:loadBalancer.secrets.certificateKey: nothing | a private key in PEM, ${files}`,
      `holdfast:loadBalancer.hostnames: nothing | at least one of the certificate's names, ${files}`,
    ]);
    expect(mistakes({ secrets: { certificateKey: good.key } })).toEqual([
      "holdfast:loadBalancer.secrets.certificateKey: a secret value | nothing, because holdfast:loadBalancer.certificate is stack",
    ]);
  });

  it("refuse what is no host name", () => {
    for (const name of ["Shop.example.com", "*.example.com", "a..b", "https://a", "-a", ""]) {
      expect(mistakes({ hostnames: [name] })).toEqual([
        expect.stringContaining("a host name in lower case such as shop.example.com"),
      ]);
    }
  });

  it("say in words what a rule over several keys allows", () => {
    expect(mistakes({ keepAliveSeconds: 30, drainSeconds: 30 })).toEqual([
      "holdfast:loadBalancer.keepAliveSeconds: 30 | less than drainSeconds, or a stopping load balancer cuts idle clients off",
    ]);
  });
});

describe("the authority of a chain", () => {
  it("is the last certificate, where that one signed itself", () => {
    const root = rootOfChain(good.certificate + authority.certificate);
    expect(root?.trim()).toBe(authority.certificate.trim());
  });

  it("is not in a chain that ends before it", () => {
    expect(rootOfChain(good.certificate)).toBeUndefined();
    expect(rootOfChain("")).toBeUndefined();
  });
});

describe("probes of the edge", () => {
  const pki = { caCertificate: "the stack's authority" } as unknown as Pki;
  const identity = (loadBalancer: Record<string, unknown>) =>
    edgeIdentity(readPlan(tiers, { loadBalancer, monitoring: { count: 1 } }), pki);
  const own = (chain: string) => ({
    certificate: "files",
    hostnames: ["shop.example.com", "www.example.org"],
    secrets: { certificateChain: chain, certificateKey: good.key },
  });
  const tlsOf = (trust?: Parameters<typeof monitoringFiles>[3]) => {
    const plan = readPlan(tiers, { monitoring: { count: 1 } });
    const files = monitoringFiles(plan, plan.tiers.monitoring.nodes[0]!, "unit", trust);
    const { modules } = parse(files["/etc/holdfast/blackbox.yml"]!) as {
      modules: { http: { http: { tls_config: unknown } } };
    };
    return modules.http.http.tls_config;
  };

  it("trust the stack's own authority, and the address in its certificate", () => {
    expect(identity({})).toEqual({ authority: "the stack's authority", name: undefined });
    expect(tlsOf()).toEqual({ ca_file: "/etc/holdfast/tls/edge-ca.pem" });
  });

  it("trust the authority of a certificate from elsewhere, and its first name", () => {
    const { authority: trusted, name } = identity(own(good.certificate + authority.certificate));
    expect(trusted).toBe(authority.certificate);
    expect(name).toBe("shop.example.com");
    expect(tlsOf({ authority: true, name: "shop.example.com" })).toEqual({
      ca_file: "/etc/holdfast/tls/edge-ca.pem",
      server_name: "shop.example.com",
    });
  });

  it("trust whom every system trusts where the chain ends before its authority", () => {
    expect(identity(own(good.certificate))).toEqual({
      authority: undefined,
      name: "shop.example.com",
    });
    expect(tlsOf({ authority: false, name: "shop.example.com" })).toEqual({
      server_name: "shop.example.com",
    });
  });
});
