import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  better,
  parseBundle,
  standingOf,
  type Bundle,
  type Standing,
} from "../../agents/supervisor/acme/bundle";
import {
  dueAt,
  failedAt,
  noAttempts,
  reasonToOrder,
  succeededAt,
  warningMs,
} from "../../agents/supervisor/acme/decide";
import { fetchCertificate, serveCertificate } from "../../agents/supervisor/acme/exchange";
import { CertificateKeeper, type KeeperDependencies } from "../../agents/supervisor/acme/keeper";
import { acmeMetrics } from "../../agents/supervisor/acme/metrics";
import { edgeIdentity } from "../../components/edgeCertificate";
import { loadBalancerFiles } from "../../components/loadBalancer.files";
import type { Pki } from "../../components/pki";
import { allowedElements } from "../../model/connections";
import { challengeAnswer, jwkThumbprint, thumbprintOf } from "../../model/jwk";
import { SettingsError } from "../../model/settings";
import { readPlan } from "../../model/stack";
import type { AcmeView } from "../../model/views";
import { tiers } from "../../tiers";
import { Authority, type Issued } from "./support/certificates";

const day = 86_400_000;
const minute = 60_000;
const directory = "https://acme.example.com/directory";
const wanted = { directory, hostnames: ["shop.example.com"] };

let authority: Authority;
let other: Authority;
let folder: string;
beforeAll(() => {
  authority = new Authority();
  other = new Authority();
});
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "holdfast-acme-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => {
  authority.remove();
  other.remove();
});

const bundleOf = ({ certificate, key }: Issued, from = directory): Bundle => ({
  directory: from,
  pem: `${certificate}${key}`,
});

describe("a key's thumbprint", () => {
  it("is that of RFC 7638's example, whatever else is said of the key", () => {
    const n =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const key = { kty: "RSA", n, e: "AQAB", alg: "RS256", kid: "2011-04-29" };
    expect(jwkThumbprint(key)).toBe("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    expect(() => jwkThumbprint({ kty: "oct" })).toThrow("found a key of kind oct");
  });

  it("is that of RFC 8037's example for Ed25519", () => {
    const x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    expect(jwkThumbprint({ kty: "OKP", crv: "Ed25519", x })).toBe(
      "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    );
  });

  it("is read from a key in PEM, and becomes the answer to any token", () => {
    const pem =
      "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n";
    expect(thumbprintOf(pem)).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(challengeAnswer("abc")).toBe("%[path,field(4,/)].abc");
  });
});

describe("a kept certificate", () => {
  const now = () => new Date();

  it("fits where names and authority are those of the settings", () => {
    const bundle = bundleOf(authority.issue());
    expect(standingOf(bundle, wanted, now())).toMatchObject({ fits: true, bundle });
    const both = { directory, hostnames: ["shop.example.com", "www.example.com"] };
    expect(standingOf(bundle, both, now())?.fits).toBe(false);
    expect(standingOf(bundle, { ...wanted, directory: "https://x/" }, now())?.fits).toBe(false);
  });

  it("is none where clients could not use it: its key, its end", () => {
    const { certificate } = authority.issue();
    const { key } = authority.issue();
    expect(standingOf(bundleOf({ certificate, key }), wanted, now())).toBeUndefined();
    const later = new Date(Date.now() + 91 * day);
    expect(standingOf(bundleOf(authority.issue()), wanted, later)).toBeUndefined();
    expect(standingOf({ directory, pem: "hello" }, wanted, now())).toBeUndefined();
  });

  it("is one already where its authority's clock is ahead by minutes, not by hours", () => {
    const bundle = bundleOf(authority.issue());
    const before = (ms: number) => standingOf(bundle, wanted, new Date(Date.now() - ms));
    expect(before(4 * minute)?.fits).toBe(true);
    expect(before(60 * minute)).toBeUndefined();
  });

  it("is read from its text, or nothing is", () => {
    const bundle = { directory, pem: "x" };
    expect(parseBundle(JSON.stringify(bundle))).toEqual(bundle);
    for (const text of ["", "{", "null", "[]", '{"pem":1}']) {
      expect(parseBundle(text)).toBeUndefined();
    }
  });

  const standing = (from: number, fits = true): Standing => ({
    bundle: { directory, pem: String(from) },
    fits,
    from,
    end: from + 90 * day,
    serial: "AB",
  });

  it("gives way to a newer one that fits, never to an older one", () => {
    const [old, young] = [standing(1), standing(2)];
    expect(better(undefined, old)).toBe(old);
    expect(better(old, undefined)).toBe(old);
    expect(better(old, young)).toBe(young);
    expect(better(young, old)).toBe(young);
    expect(better(old, standing(1))).toBe(old);
    const misfit = standing(3, false);
    expect(better(young, misfit)).toBe(young);
    expect(better(misfit, young)).toBe(young);
    expect(better(undefined, misfit)).toBe(misfit);
  });
});

describe("an order", () => {
  const life = (days: number, fits = true): Standing => ({
    bundle: { directory, pem: "" },
    fits,
    from: 0,
    end: days * day,
    serial: "AB",
  });

  it("is due so many days before the end, at two thirds of its life at the earliest", () => {
    expect(dueAt(life(90), 30) / day).toBe(60);
    expect(dueAt(life(90), 10) / day).toBe(80);
    expect(dueAt(life(45), 30) / day).toBe(30);
    expect(dueAt(life(6), 30) / day).toBe(4);
    expect(warningMs(life(90), 30) / day).toBe(15);
    expect(warningMs(life(6), 30) / day).toBe(1);
  });

  it("has a reason: none, other names, or due", () => {
    expect(reasonToOrder(undefined, 30, 0)).toBe("there is none");
    expect(reasonToOrder(life(90, false), 30, 0)).toContain("names");
    expect(reasonToOrder(life(90), 30, 60 * day - 1)).toBeUndefined();
    expect(reasonToOrder(life(90), 30, 60 * day)).toBe("it is due for renewal");
  });

  it("waits longer after each failure, and stays below the limits of authorities", () => {
    const waits: number[] = [];
    let attempts = noAttempts;
    for (let at = 0; waits.length < 6; at = attempts.notBefore) {
      attempts = failedAt(attempts, at, 0);
      waits.push((attempts.notBefore - at) / minute);
    }
    expect(waits).toEqual([20, 40, 80, 160, 180, 180]);
    expect((failedAt(noAttempts, 0, 1).notBefore - 0) / minute).toBe(24);
    // Both load balancers, the second from a failover on: five failures in an hour are refused.
    expect(2 * waits.filter((_, index) => sum(waits.slice(0, index)) < 60).length).toBeLessThan(5);
    expect(succeededAt(attempts, 7)).toEqual({
      failures: 0,
      notBefore: 0,
      lastSuccess: 7,
      lastFailure: attempts.lastFailure,
    });
  });

  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
});

describe("its metrics", () => {
  const lines = (facts: Parameters<typeof acmeMetrics>[0]) =>
    acmeMetrics(facts)
      .split("\n")
      .filter((text) => text !== "" && !text.startsWith("#"));

  it("say that the placeholder is shown, and nothing else before something was tried", () => {
    const facts = { shown: undefined, renewBeforeDays: 30, attempts: noAttempts };
    expect(lines(facts)).toEqual(["holdfast_acme_certificate 0"]);
  });

  it("say when it ends, and when what was tried", () => {
    const shown = {
      bundle: { directory, pem: "" },
      fits: true,
      from: 0,
      end: 90 * day,
      serial: "",
    };
    const attempts = { ...noAttempts, lastSuccess: 2000, lastFailure: 1000 };
    expect(lines({ shown, renewBeforeDays: 30, attempts })).toEqual([
      "holdfast_acme_certificate 1",
      "holdfast_acme_last_success_timestamp_seconds 2",
      "holdfast_acme_last_failure_timestamp_seconds 1",
      "holdfast_edge_certificate_expiry_timestamp_seconds 7776000",
      "holdfast_edge_certificate_warning_seconds 1296000",
    ]);
  });
});

/** What a node has, in the test's folder. `name`: of the node. */
function viewOf(name: string, peer: AcmeView["peer"] = null, port = 0): AcmeView {
  const file = (part: string) => path.join(folder, `${name}-${part}`);
  return {
    directory,
    email: "ops@example.com",
    hostnames: ["shop.example.com"],
    renewBeforeDays: 30,
    certificatePort: port,
    peer,
    files: {
      shown: file("shown.pem"),
      placeholder: file("placeholder.pem"),
      accountKey: file("account.key"),
      directoryAuthority: null,
      kept: file("kept"),
      work: file("work"),
      tls: { certificate: file("node.pem"), key: file("node.key"), authority: file("ca.pem") },
    },
  };
}

describe("the keeper of the edge's certificate", () => {
  let commands: string[];
  let orders: number;
  let now: number;
  let holds: boolean;
  let issued: () => Promise<Bundle>;
  let peerHas: () => Promise<string | undefined>;

  beforeEach(() => {
    commands = [];
    orders = 0;
    now = Date.now();
    holds = true;
    issued = () => Promise.resolve(bundleOf(authority.issue()));
    peerHas = () => Promise.resolve(undefined);
  });

  function keeperOf(view = viewOf("lb-a"), more: Partial<KeeperDependencies> = {}) {
    writeFileSync(view.files.placeholder, "placeholder\n");
    return new CertificateKeeper(view, {
      holdsAddress: () => holds,
      askHaproxy: (command) => {
        commands.push(command.split("\n")[0] ?? "");
        return Promise.resolve("Success!");
      },
      order: () => {
        orders += 1;
        return issued();
      },
      fetchFromPeer: () => peerHas(),
      now: () => now,
      ...more,
    });
  }
  const shown = () => readFileSync(viewOf("lb-a").files.shown, "utf8");

  it("shows the placeholder, orders, and has HAProxy show what was issued", async () => {
    const keeper = keeperOf();
    keeper.prepare();
    expect(shown()).toBe("placeholder\n");
    await keeper.tick();
    const { files } = viewOf("lb-a");
    expect(commands).toEqual([`set ssl cert ${files.shown} <<`, `commit ssl cert ${files.shown}`]);
    expect(shown()).toContain("BEGIN CERTIFICATE");
    expect(shown()).toContain("PRIVATE KEY");
    expect(statSync(files.shown).mode & 0o777).toBe(0o600);
    expect(keeper.metrics()).toContain("holdfast_acme_certificate 1");
    await keeper.tick();
    expect(orders).toBe(1);
    expect(commands).toHaveLength(2);
    expect(JSON.stringify(keeper.status())).not.toContain("BEGIN");
  });

  it("does not order where another holds the address", async () => {
    holds = false;
    const keeper = keeperOf();
    keeper.prepare();
    await keeper.tick();
    expect(keeper.requestOrder()).toBe(false);
    await keeper.tick();
    expect(orders).toBe(0);
    holds = true;
    expect(keeper.requestOrder()).toBe(true);
    await keeper.tick();
    expect(orders).toBe(1);
  });

  it("takes the peer's before it orders one, and never an older one", async () => {
    const [old, young] = [authority.issue({ days: 80 }), authority.issue({ days: 80 })];
    peerHas = () => Promise.resolve(JSON.stringify(bundleOf(young)));
    const keeper = keeperOf();
    keeper.prepare();
    await keeper.tick();
    expect(orders).toBe(0);
    expect(shown()).toContain(young.certificate.trim());
    peerHas = () => Promise.resolve(JSON.stringify(bundleOf(old)));
    await keeper.tick();
    expect(shown()).toContain(young.certificate.trim());
    peerHas = () => Promise.resolve("something else");
    await keeper.tick();
    expect(shown()).toContain(young.certificate.trim());
  });

  it("starts with what it has kept, and renews it when it is due", async () => {
    const first = keeperOf();
    first.prepare();
    await first.tick();
    const before = shown();
    const second = keeperOf();
    second.prepare();
    expect(shown()).toBe(before);
    await second.tick();
    expect(orders).toBe(1);
    now += 61 * day;
    const renewed = authority.issue();
    issued = () => Promise.resolve(bundleOf(renewed));
    await second.tick();
    expect(orders).toBe(2);
    expect(shown()).toContain(renewed.certificate.trim());
  });

  it("goes back to the placeholder when its certificate has ended", async () => {
    const keeper = keeperOf();
    keeper.prepare();
    await keeper.tick();
    now += 91 * day;
    holds = false;
    await keeper.tick();
    expect(shown()).toBe("placeholder\n");
    expect(keeper.metrics()).toContain("holdfast_acme_certificate 0");
  });

  it("waits after a failure, also when it is started again, but not when it is asked", async () => {
    issued = () => Promise.reject(new Error("the proof was not found"));
    const keeper = keeperOf();
    keeper.prepare();
    await keeper.tick();
    await keeper.tick();
    expect(orders).toBe(1);
    const again = keeperOf();
    again.prepare();
    await again.tick();
    expect(orders).toBe(1);
    expect(again.metrics()).toContain("holdfast_acme_last_failure_timestamp_seconds");
    now += 25 * minute;
    await again.tick();
    expect(orders).toBe(2);
    issued = () => Promise.resolve(bundleOf(authority.issue()));
    again.requestOrder();
    await again.tick();
    expect(orders).toBe(3);
    expect(again.metrics()).toContain("holdfast_acme_certificate 1");
  });

  it("takes nothing that is not for the names", async () => {
    issued = () => Promise.resolve(bundleOf(authority.issue({ names: ["www.example.com"] })));
    const keeper = keeperOf();
    keeper.prepare();
    await keeper.tick();
    expect(shown()).toBe("placeholder\n");
  });

  it("tries again to show what HAProxy did not take", async () => {
    let answer = "Can't commit";
    const keeper = keeperOf(viewOf("lb-a"), {
      askHaproxy: (command) => {
        commands.push(command.split(" ")[0] ?? "");
        return Promise.resolve(answer);
      },
    });
    keeper.prepare();
    await keeper.tick();
    expect(commands).toEqual(["set", "commit", "abort"]);
    answer = "Success!";
    await keeper.tick();
    expect(commands.slice(3)).toEqual(["set", "commit"]);
    expect(orders).toBe(1);
  });
});

describe("the pair", () => {
  /** A node's own certificate and whom it trusts, in the files of its view. */
  function identify(view: AcmeView, name: string, { issuer = authority, trusts = authority } = {}) {
    const { certificate, key } = issuer.issue({
      commonName: name,
      names: [name, "localhost"],
      addresses: ["127.0.0.1"],
    });
    writeFileSync(view.files.tls.certificate, certificate);
    writeFileSync(view.files.tls.key, key);
    writeFileSync(view.files.tls.authority, trusts.certificate);
  }

  async function asked(
    name: string,
    {
      issuer = authority,
      trusts = authority,
      text = "kept",
    }: { issuer?: Authority; trusts?: Authority; text?: string | null } = {},
  ) {
    const holder = viewOf("lb-a", { node: "lb-b", address: "127.0.0.1" });
    identify(holder, "lb-a");
    const server = serveCertificate(
      "127.0.0.1",
      holder,
      () => text ?? undefined,
      () => undefined,
    );
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const asking = viewOf(name, { node: "lb-a", address: "127.0.0.1" }, port);
    identify(asking, name, { issuer, trusts });
    try {
      return await fetchCertificate(asking);
    } finally {
      server.close();
    }
  }

  it("gives the certificate to the peer alone", async () => {
    expect(await asked("lb-b")).toBe("kept");
    expect(await asked("lb-b", { text: null })).toBeUndefined();
    await expect(asked("web-a")).rejects.toThrow("status 403");
    await expect(asked("lb-b", { issuer: other })).rejects.toThrow();
  });

  it("takes none from a stranger", async () => {
    await expect(asked("lb-b", { trusts: other })).rejects.toThrow("self-signed certificate");
    const view = viewOf("lb-c", { node: "lb-b", address: "127.0.0.1" }, 1);
    identify(view, "lb-c");
    await expect(fetchCertificate(view)).rejects.toThrow("ECONNREFUSED");
  });
});

describe("settings with ACME", () => {
  const right = {
    certificate: "acme",
    hostnames: ["shop.example.com"],
    acme: { email: "ops@example.com", termsAgreed: true },
  };
  const plan = (loadBalancer: Record<string, unknown>, raw: Record<string, unknown> = {}) =>
    readPlan(tiers, { loadBalancer, ...raw });
  const mistakes = (loadBalancer: Record<string, unknown>, raw: Record<string, unknown> = {}) => {
    try {
      plan(loadBalancer, raw);
      return [];
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      return error.problems.map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);
    }
  };
  const because = "because holdfast:loadBalancer.certificate is acme";

  it("are taken, with Let's Encrypt unless another is told", () => {
    expect(mistakes(right)).toEqual([]);
    expect(plan(right).settings.loadBalancer.acme).toEqual({
      directory: "https://acme-v02.api.letsencrypt.org/directory",
      email: "ops@example.com",
      termsAgreed: true,
      renewBeforeDays: 30,
    });
  });

  it("need names, somebody to write to and agreement", () => {
    expect(mistakes({ certificate: "acme" })).toEqual([
      `holdfast:loadBalancer.hostnames: nothing | at least one host name and no addresses, ${because}`,
      `holdfast:loadBalancer.acme.email: nothing | an address of mail such as ops@example.com, ${because}`,
      `holdfast:loadBalancer.acme.termsAgreed: nothing | true, which says that you agree to the authority's terms of service, ${because}`,
    ]);
    expect(mistakes({ ...right, hostnames: ["10.0.0.1"] })).toHaveLength(1);
    expect(mistakes({ ...right, hostnames: ["*.example.com"] })).toHaveLength(1);
  });

  it("refuse what is no directory, no address of mail, no authority, and a certificate of one's own", () => {
    const acme = (more: object) => mistakes({ ...right, acme: { ...right.acme, ...more } });
    expect(acme({ directory: "http://acme.example.com" })).toEqual([
      'holdfast:loadBalancer.acme.directory: "http://acme.example.com" | an address such as https://acme-v02.api.letsencrypt.org/directory',
    ]);
    expect(acme({ email: "ops" })[0]).toContain("an address of mail such as ops@example.com");
    for (const key of ["directoryAuthority", "issuingAuthority"]) {
      expect(acme({ [key]: "hello" })).toEqual([
        `holdfast:loadBalancer.acme.${key}: "hello" | certificates in PEM, no private key`,
      ]);
      expect(acme({ [key]: authority.certificate })).toEqual([]);
    }
    expect(mistakes({ ...right, secrets: { certificateKey: "x" } })).toEqual([
      "holdfast:loadBalancer.secrets.certificateKey: a secret value | nothing, because holdfast:loadBalancer.certificate is acme",
    ]);
  });

  it("need port 80, where authorities ask", () => {
    expect(mistakes(right, { webPool: { edgeHttpPort: 8000 } })).toEqual([
      'holdfast:loadBalancer.certificate: "acme" with port 8000 for plain HTTP at the edge | "acme" with port 80 (holdfast:webPool.edgeHttpPort), where authorities ask for the proof; "stack" or "files" with any',
    ]);
    const alone = { webPool: { count: 1 }, appPool: { count: 1 } };
    expect(mistakes({ ...right, count: 0 }, alone)).toEqual([
      'holdfast:loadBalancer.certificate: "acme" | "stack", because the stack has no load balancer',
    ]);
  });

  it("have HAProxy answer challenges at the edge before anybody is sent to HTTPS, and show what is issued", () => {
    const files = (loadBalancer: Record<string, unknown>) => {
      const made = plan(loadBalancer);
      return loadBalancerFiles(made, made.tiers.loadBalancer.nodes[0]!);
    };
    const cfg = files({ ...right, redirectToHttps: true })["/etc/holdfast/haproxy.cfg"] ?? "";
    expect(cfg).toContain(" ssl crt /run/holdfast/edge.pem alpn ");
    expect(cfg.match(/acl acme_token/g)).toHaveLength(1);
    expect(cfg.indexOf("if acme_token")).toBeLessThan(cfg.indexOf("http-request redirect"));
    expect(cfg.indexOf("if acme_token")).toBeGreaterThan(cfg.indexOf("frontend web"));
    const own = files({})["/etc/holdfast/haproxy.cfg"] ?? "";
    expect(own).toContain(" ssl crt /etc/holdfast/tls/edge.pem alpn ");
    expect(own).not.toContain("acme_token");
    const supervisor = (loadBalancer: Record<string, unknown>) =>
      (
        JSON.parse(files(loadBalancer)["/etc/holdfast/supervisor.json"] ?? "") as {
          acme: AcmeView | null;
        }
      ).acme;
    expect(supervisor({})).toBeNull();
    expect(supervisor(right)).toMatchObject({
      hostnames: ["shop.example.com"],
      certificatePort: 8407,
      peer: { node: "lb-b", address: "10.77.0.12" },
      files: { directoryAuthority: null },
    });
    expect(supervisor({ ...right, count: 1 })?.peer).toBeNull();
  });

  it("open a port for the peer alone", () => {
    const open = (loadBalancer: Record<string, unknown>) =>
      allowedElements(plan(loadBalancer), "vm-lb-a").filter(({ port }) => port === 8407);
    expect(open({})).toEqual([]);
    expect(open(right)).toEqual([{ source: "10.77.0.12/32", protocol: "tcp", port: 8407 }]);
  });

  it("have probes trust the issuing authority, or those whom every system trusts", () => {
    const pki = {} as unknown as Pki;
    expect(edgeIdentity(plan(right), pki)).toEqual({
      authority: undefined,
      name: "shop.example.com",
    });
    const issuingAuthority = authority.certificate;
    const own = plan({ ...right, acme: { ...right.acme, issuingAuthority } });
    expect(edgeIdentity(own, pki).authority).toBe(issuingAuthority);
  });
});
