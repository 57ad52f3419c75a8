import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { Server } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveCertificate } from "../../agents/supervisor/acme/exchange";
import { CertificateKeeper } from "../../agents/supervisor/acme/keeper";
import { askHaproxy } from "../../agents/supervisor/io";
import { acmeFiles, loadBalancerFiles } from "../../components/loadBalancer.files";
import { challengeAnswer, thumbprintOf } from "../../model/jwk";
import { readPlan } from "../../model/stack";
import type { LoadBalancerSupervisorView } from "../../model/views";
import { tiers } from "../../tiers";
import { findOnPath } from "../../toolchain/commands";
import { eventually } from "../support/measure";
import { namesArguments, pageOf, pebbleConfig, pebbleEnvironment } from "../support/pebble";
import { Authority } from "./support/certificates";

/*
 * The pair's own code and configuration with a real ACME server, client and HAProxy, on loopback
 * addresses. HAProxy and lego are Debian packages, Pebble is in toolchain/go/pebble.
 */
const wanted = ["haproxy", "lego", "pebble", "pebble-challtestsrv"];
const missing = wanted.filter((program) => findOnPath(program) === undefined);

const network = "127.93.0";
const vip = `${network}.5`;
const httpPort = 5080;
const names = ["shop.example.com", "www.example.com"];
const pebble = { listen: `${network}.2:14000`, management: `${network}.2:15000` };
const validSeconds = 600;

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-pebble-"));
const file = (name: string) => path.join(folder, name);
const children: ChildProcess[] = [];
const account = generateKeyPairSync("ec", { namedCurve: "P-256" });
const thumbprint = thumbprintOf(
  account.publicKey.export({ type: "spki", format: "pem" }).toString(),
);

function start(program: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, ...pebbleEnvironment };
  const output = openSync(file(`${program}.log`), "a");
  const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", output, output] });
  children.push(child);
  return child;
}

const plan = () =>
  readPlan(tiers, {
    machines: { network: `${network}.0/24` },
    loadBalancer: {
      certificate: "acme",
      hostnames: names,
      redirectToHttps: true,
      acme: {
        directory: `https://${pebble.listen}/dir`,
        email: "ops@example.com",
        termsAgreed: true,
        directoryAuthority: authority.certificate,
      },
    },
  });

let authority: Authority;

/** A load balancer without its machine: HAProxy, and the keeper of its certificate. */
class Balancer {
  readonly keeper: CertificateKeeper;
  private readonly config: LoadBalancerSupervisorView;
  private readonly haproxy: ChildProcess;
  private readonly server: Server;

  constructor(
    readonly node: "lb-a" | "lb-b",
    private readonly world: { holder: string; now: () => number },
  ) {
    const stack = plan();
    const planned = stack.tiers.loadBalancer.nodes.find(({ key }) => key === node)!;
    const files = loadBalancerFiles(stack, planned);
    const own = (name: string) => file(`${node}-${name}`);
    const moved: Readonly<Record<string, string>> = {
      [acmeFiles.answer]: own("answer"),
      [acmeFiles.accountKey]: own("account.key"),
      [acmeFiles.directoryAuthority]: own("directory-authority.pem"),
      [acmeFiles.shown]: own("shown.pem"),
      [acmeFiles.kept]: own("kept"),
      "/etc/holdfast/tls/edge.pem": own("placeholder.pem"),
      "/etc/holdfast/tls/": own("tls/"),
      "/run/holdfast/acme-order": own("order"),
      "/run/haproxy/admin.sock": own("admin.sock"),
      "errorfile 503 /opt/holdfast/errors/503.http": "",
      "user haproxy": "",
      "group haproxy": "",
      // Each shows its certificate at an address of its own, and both answer at the shared one.
      [`${vip}:80\n`]: `${vip}:${httpPort}\n`,
      [`${vip}:443 `]: `${planned.machine.address}:8443 `,
    };
    const move = (text = "") =>
      Object.entries(moved).reduce((moving, [from, to]) => moving.replaceAll(from, to), text);
    this.config = JSON.parse(
      move(files["/etc/holdfast/supervisor.json"]),
    ) as LoadBalancerSupervisorView;
    writeFileSync(own("haproxy.cfg"), move(files["/etc/holdfast/haproxy.cfg"]));
    writeFileSync(own("answer"), challengeAnswer(thumbprint));
    writeFileSync(own("directory-authority.pem"), authority.certificate);
    writeFileSync(own("account.key"), account.privateKey.export({ type: "sec1", format: "pem" }));
    const placeholder = authority.issue({ names });
    writeFileSync(own("placeholder.pem"), placeholder.certificate + placeholder.key);
    mkdirSync(own("tls"), { recursive: true });
    const leaf = authority.issue({ commonName: node, names: [node] });
    writeFileSync(own("tls/node.pem"), leaf.certificate);
    writeFileSync(own("tls/node.key"), leaf.key);
    writeFileSync(own("tls/ca.pem"), authority.certificate);

    this.keeper = new CertificateKeeper(this.view, {
      holdsAddress: () => this.world.holder === node,
      askHaproxy: (command) => askHaproxy(own("admin.sock"), command),
      now: this.world.now,
    });
    this.keeper.prepare();
    this.haproxy = start("haproxy", ["-db", "-f", own("haproxy.cfg")]);
    this.server = serveCertificate(planned.machine.address, this.view, this.keeper.text, () => {
      throw new Error(`${node} cannot listen`);
    });
  }

  get view() {
    if (!this.config.acme) throw new Error("no ACME in the supervisor's settings");
    return this.config.acme;
  }

  /** The certificate that its clients see. */
  shown(): Promise<X509Certificate> {
    return new Promise((resolve, reject) => {
      const socket = connect(
        { host: this.config.address, port: 8443, servername: names[0], rejectUnauthorized: false },
        () => {
          resolve(new X509Certificate(socket.getPeerCertificate().raw));
          socket.destroy();
        },
      );
      socket.setTimeout(3000, () => socket.destroy(new Error("no answer")));
      socket.on("error", reject);
    });
  }

  async up(): Promise<this> {
    await eventually(`${this.node} shows a certificate`, 20, () =>
      this.shown().then(
        () => true,
        () => false,
      ),
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${readFileSync(file("haproxy.log"), "utf8")}`);
    });
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    const ended = new Promise((resolve) => this.haproxy.once("exit", resolve));
    this.haproxy.kill("SIGTERM");
    await ended;
  }
}

/** Status and body of a request to the shared address. */
function ask(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, timeout: 3000 }, (answer) => {
      let body = "";
      answer.on("data", (part: Buffer) => (body += part.toString()));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer")));
    sent.on("error", reject);
    sent.end();
  });
}

const pebbleRoot = async () =>
  new X509Certificate(await pageOf(`https://${pebble.management}/roots/0`, authority.certificate));

const skipped = missing.length > 0 ? ` (skipped: ${missing.join(", ")} not on PATH)` : "";

describe.skipIf(missing.length > 0)(`a pair with a real ACME server${skipped}`, () => {
  const world = { holder: "lb-a", ahead: 0, now: () => Date.now() + world.ahead };
  let a: Balancer;
  let b: Balancer;
  let root: X509Certificate;
  const prefix = `http://${vip}:${httpPort}/.well-known/acme-challenge/`;

  beforeAll(async () => {
    authority = new Authority();
    const { certificate, key } = authority.issue({ names: [], addresses: [`${network}.2`] });
    writeFileSync(file("pebble.pem"), certificate);
    writeFileSync(file("pebble.key"), key);
    writeFileSync(
      file("pebble.json"),
      pebbleConfig({
        ...pebble,
        certificate: file("pebble.pem"),
        privateKey: file("pebble.key"),
        httpPort,
        validSeconds,
      }),
    );
    start("pebble-challtestsrv", namesArguments(vip, `${network}.2:8053`, `${network}.2:8055`));
    start("pebble", ["-config", file("pebble.json"), "-dnsserver", `${network}.2:8053`]);
    await eventually("Pebble answers", 20, () =>
      pebbleRoot().then(
        (certificate) => {
          root = certificate;
          return true;
        },
        () => false,
      ),
    );
    a = await new Balancer("lb-a", world).up();
    b = await new Balancer("lb-b", world).up();
  });

  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    authority.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("answers any token, and nothing that is none", async () => {
    expect(await ask(`${prefix}abc_-123?x=y`)).toEqual({
      status: 200,
      body: `abc_-123.${thumbprint}`,
    });
    // What is no token goes on to the application, which is not there.
    const wrong = ["", "a/b", "%61", "a.b", "a%0d%0aX:y"].map((token) =>
      ask(`${prefix}${token}`).catch(() => ({ status: 0, body: "" })),
    );
    for (const { body } of await Promise.all(wrong)) expect(body).not.toContain(thumbprint);
  });

  it("gets a certificate for all names by the node that holds the address", async () => {
    const placeholder = (await a.shown()).serialNumber;
    await b.keeper.tick();
    expect((await b.shown()).serialNumber).not.toBe(placeholder);
    await a.keeper.tick();
    const seen = await a.shown();
    expect(seen.serialNumber, a.keeper.metrics()).not.toBe(placeholder);
    expect(seen.subjectAltName).toBe(names.map((name) => `DNS:${name}`).join(", "));
    expect(a.keeper.metrics()).toContain("holdfast_acme_certificate 1");
    expect(root.ca).toBe(true);
    expect(seen.issuer).not.toContain("authority");
  });

  it("has the other one show it, too", async () => {
    await b.keeper.tick();
    expect((await b.shown()).serialNumber).toBe((await a.shown()).serialNumber);
  });

  it("renews it with one load balancer down, and no client notices", async () => {
    const before = (await b.shown()).serialNumber;
    await a.stop();
    world.holder = "lb-b";
    world.ahead = 0.7 * validSeconds * 1000;
    const failures: string[] = [];
    let requests = 0;
    const until = new AbortController();
    const clients = (async () => {
      while (!until.signal.aborted) {
        requests += 1;
        await b.shown().catch((error: unknown) => failures.push(String(error)));
        await ask(`${prefix}abc`).catch((error: unknown) => failures.push(String(error)));
      }
    })();
    await b.keeper.tick();
    until.abort();
    await clients;
    expect((await b.shown()).serialNumber).not.toBe(before);
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(5);
  });

  it("gives it to the one that comes back", async () => {
    a = new Balancer("lb-a", world);
    await a.up();
    const renewed = (await b.shown()).serialNumber;
    expect((await a.shown()).serialNumber).not.toBe(renewed);
    await a.keeper.tick();
    expect((await a.shown()).serialNumber).toBe(renewed);
  });

  it("tells why where the proof fails, and leaves no key behind", async () => {
    await Promise.all([a.stop(), b.stop()]);
    b = new Balancer("lb-b", world);
    // Nobody answers at the address any more: HAProxy is gone.
    await b.stop();
    b.keeper.requestOrder();
    await b.keeper.tick();
    expect(b.keeper.status()).toMatchObject({ failures: 1 });
    expect(b.keeper.metrics()).toContain("holdfast_acme_last_failure_timestamp_seconds");
  });
});
