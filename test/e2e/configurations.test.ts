import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acmeFiles, loadBalancerFiles } from "../../components/loadBalancer.files";
import { challengeAnswer } from "../../model/jwk";
import { monitoringFiles } from "../../components/monitoring.files";
import { webPoolFiles } from "../../components/webPool.files";
import { projectRoot, renderTemplate } from "../../model/rendering";
import { readPlan } from "../../model/stack";
import type { HaproxyView } from "../../model/views";
import { tiers } from "../../tiers";
import { promtoolFiles } from "../unit/support/alertFiles";

/*
 * What is rendered is shown to the programs that will read it: haproxy, keepalived, nft, nginx,
 * Prometheus and its kin of the role images, each with its own check of a configuration.
 */
const roles = ["load-balancer", "web", "monitoring"] as const;
const image = (role: string) => `holdfast-test/${role}`;
let folder: string;

const topologies: Readonly<Record<string, Record<string, unknown>>> = {
  "the default": {},
  "one of each": { loadBalancer: { count: 1 }, webPool: { count: 1 }, appPool: { count: 1 } },
  "three web nodes, four app nodes": { webPool: { count: 3 }, appPool: { count: 4 } },
  "five web nodes on other ports": {
    webPool: { count: 5, port: 9000, edgeHttpPort: 8000, edgeHttpsPort: 8443 },
    appPool: { count: 1, port: 3000, endpointPort: 3001, readyPath: "/ready?deep=1" },
  },
  "nothing but HTTPS, on another port": {
    loadBalancer: { redirectToHttps: true, hstsSeconds: 300 },
    webPool: { edgeHttpsPort: 8443 },
  },
  "TLS between the tiers, or without": {
    webPool: { count: 3, tls: "prefer" },
    appPool: { count: 1, tls: "prefer" },
  },
  "TLS between the tiers, nothing else": {
    webPool: { tls: "require" },
    appPool: { tls: "require", tlsPort: 9443, endpointTlsPort: 9444 },
  },
  "a certificate by ACME, nothing but HTTPS": {
    loadBalancer: {
      redirectToHttps: true,
      certificate: "acme",
      hostnames: ["shop.example.com"],
      acme: { email: "ops@example.com", termsAgreed: true },
    },
  },
  "one load balancer, small limits": {
    loadBalancer: {
      count: 1,
      maxConnections: 100,
      maxBodyBytes: 1024,
      virtualRouterId: 255,
      connectionsPerClient: 1,
      requestsPerClient: 1,
      clientWindowSeconds: 3600,
      maxHeaderBytes: 1024,
    },
  },
};

/** Runs a shell line in a role's image with `files` below /check; throws with what it printed. */
async function inImage(role: string, files: Readonly<Record<string, string>>, line: string) {
  const here = mkdtempSync(path.join(folder, "run-"));
  for (const [file, content] of Object.entries(files)) {
    const target = path.join(here, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, content, { mode: 0o444 });
  }
  const result = await execa(
    "docker",
    [
      ...["run", "--rm", "--interactive", "--user", "root", "--cap-add", "NET_ADMIN"],
      ...["--entrypoint", "sh", image(role), "-euc"],
      // Over standard input: the engine need not see this computer's files.
      `mkdir /check && tar -x -C /check && cp -R /check/. / && ${line}`,
    ],
    {
      input: (await execa("tar", ["-c", "-C", here, "."], { encoding: "buffer" })).stdout,
      all: true,
      reject: false,
    },
  );
  return { ok: result.exitCode === 0, output: result.all };
}

async function certificate(): Promise<string> {
  const { stdout } = await execa("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-subj", "/CN=check", "-days", "1", "-keyout", "-", "-out", "-"],
  ]);
  return stdout;
}

/** One certificate, which is its own authority, wherever a program wants one. */
const certificates = (pem: string) =>
  Object.fromEntries(
    ["edge.pem", "edge-ca.pem", "endpoints.pem", "node.pem", "node.key", "ca.pem"].map((name) => [
      `/etc/holdfast/tls/${name}`,
      pem,
    ]),
  );

const checkHaproxy = "haproxy -c -f /etc/holdfast/haproxy.cfg";
const checkBalancer = [
  checkHaproxy,
  "mkdir -p /run/holdfast && echo 0 >/run/holdfast/haproxy.track",
  "keepalived --config-test --log-console --use-file /etc/holdfast/keepalived.conf",
  "nft --check --file /etc/holdfast/second-chance.nft",
].join(" && ");

const monitored: Readonly<Record<string, Record<string, unknown>>> = {
  "the default, two monitors": { monitoring: { count: 2 } },
  "every tier, everybody told": {
    monitoring: { count: 2 },
    mysqlCluster: { count: 3 },
    redisCache: { count: 3 },
    backup: { count: 1 },
    alerting: {
      receivers: {
        oncall: { email: "oncall@example.com", severities: ["page"] },
        chat: { webhook: "https://chat.example.com/hook" },
      },
      smtp: { server: "mail.example.com:587", user: "holdfast", password: "a secret" },
      deadMansSwitch: "https://watch.example.com/ping",
    },
  },
  "TLS between the tiers": {
    monitoring: { count: 2 },
    webPool: { tls: "require" },
    appPool: { tls: "require" },
  },
  "metrics with and without TLS": { monitoring: { count: 2 }, pki: { metricsTls: "prefer" } },
  "metrics without TLS": { monitoring: { count: 2 }, pki: { metricsTls: "off" } },
  "no load balancer, one monitor, scaled time": {
    loadBalancer: { count: 0 },
    webPool: { count: 1 },
    appPool: { count: 1 },
    monitoring: { count: 1 },
    slo: { timeScale: 60 },
  },
};
const checkMonitoring = [
  "promtool check config --lint=all --lint-fatal /etc/holdfast/prometheus.yml",
  "promtool check rules --lint=all --lint-fatal /etc/holdfast/rules.yml",
  "amtool check-config /etc/holdfast/alertmanager.yml",
  "prometheus-blackbox-exporter --config.check --config.file=/etc/holdfast/blackbox.yml",
  "if [ -e /etc/holdfast/web.yml ]; then promtool check web-config /etc/holdfast/web.yml; fi",
].join(" && ");

describe("rendered configurations", () => {
  let pem: string;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "holdfast-configurations-"));
    pem = await certificate();
    for (const role of roles) {
      const context = path.join(folder, role);
      cpSync(path.join(projectRoot, "images", role), context, { recursive: true });
      // The images want the bundled supervisor or agent, which has no part in this.
      for (const program of ["supervisor.js", "agent.js"]) {
        writeFileSync(path.join(context, program), "");
      }
      await execa("docker", ["build", "--quiet", "--tag", image(role), context]);
    }
  });

  afterAll(async () => {
    await execa("docker", ["image", "rm", ...roles.map(image)], { reject: false });
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(Object.entries(topologies))("are accepted: %s", async (_, raw) => {
    const plan = readPlan(tiers, raw);
    for (const node of plan.tiers.loadBalancer.nodes) {
      const files = {
        ...loadBalancerFiles(plan, node),
        ...certificates(pem),
        [acmeFiles.shown]: pem,
        [acmeFiles.answer]: challengeAnswer("thumbprint"),
      };
      const { ok, output } = await inImage("load-balancer", files, checkBalancer);
      expect(ok, `${node.key}: ${output}`).toBe(true);
    }
    const [web] = plan.tiers.webPool.nodes;
    if (!web) throw new Error("no web node in the plan");
    const files = { ...webPoolFiles(plan, web), ...certificates(pem) };
    const { ok, output } = await inImage("web", files, "nginx -t");
    expect(ok, `${web.key}: ${output}`).toBe(true);
  });

  it("are accepted for a database behind the pair: TCP, a check port, a reserve", async () => {
    const view: HaproxyView = {
      node: "lb-a",
      address: "10.77.0.11",
      statusPort: 8404,
      statusCertificate: null,
      maxConnections: 1000,
      totalConnections: 2000,
      connectionsPerClient: 100,
      requestsPerClient: 100,
      clientWindowSeconds: 10,
      maxHeaderBytes: 8192,
      hstsSeconds: 0,
      maxBodyBytes: 1024,
      requestTimeoutSeconds: 30,
      keepAliveSeconds: 25,
      sessionTimeoutSeconds: 3600,
      hardStopSeconds: 30,
      acmeAnswerFile: null,
      services: [
        {
          name: "mysql-primary",
          http: false,
          edge: false,
          binds: [{ address: "10.77.0.6", port: 3306, tls: null }],
          redirectPort: null,
          checkPath: "/primary",
          fallback: null,
          cutSessionsWhenDown: true,
          pools: [
            {
              name: "mysql-primary",
              servers: ["a", "b", "c"].map((letter, index) => ({
                name: `mysql-${letter}`,
                address: `10.77.0.${41 + index}`,
                port: 3306,
                tlsName: null,
                checkPort: 9200,
                checkTlsName: null,
              })),
              unchecked: [],
              tls: false,
            },
          ],
          choice: null,
        },
      ],
    };
    const text = renderTemplate("haproxy/haproxy.cfg.hbs", view);
    expect(text).toContain("check port 9200 on-marked-down shutdown-sessions\n");
    const files = { "/etc/holdfast/haproxy.cfg": text };
    const { ok, output } = await inImage("load-balancer", files, checkHaproxy);
    expect(ok, output).toBe(true);
  });

  it.each(Object.entries(monitored))(
    "are accepted by Prometheus and its kin: %s",
    async (_, raw) => {
      const plan = readPlan(tiers, raw);
      for (const node of plan.tiers.monitoring.nodes) {
        const files = { ...monitoringFiles(plan, node, "check"), ...certificates(pem) };
        const { ok, output } = await inImage("monitoring", files, checkMonitoring);
        expect(ok, `${node.key}: ${output}`).toBe(true);
      }
    },
  );

  it("make every alert fire where it must, and stay silent where it must not", async () => {
    const files = promtoolFiles();
    const tests = Object.keys(files).filter((name) => name.startsWith("test-"));
    const line = `cd /check && promtool test rules ${tests.join(" ")}`;
    const { ok, output } = await inImage("monitoring", files, line);
    expect(ok, output).toBe(true);
  });

  it("are refused by Prometheus and its kin when broken", async () => {
    const plan = readPlan(tiers, { monitoring: { count: 2 } });
    const [node] = plan.tiers.monitoring.nodes;
    if (!node) throw new Error("no monitoring node in the plan");
    const files: Readonly<Record<string, string>> = {
      ...monitoringFiles(plan, node, "check"),
      ...certificates(pem),
    };
    const names = ["prometheus.yml", "rules.yml", "alertmanager.yml", "blackbox.yml", "web.yml"];
    for (const file of names) {
      const at = `/etc/holdfast/${file}`;
      const broken = { ...files, [at]: `${files[at]}\nplanted_mistake: 1\n` };
      const { ok } = await inImage("monitoring", broken, checkMonitoring);
      expect(ok, file).toBe(false);
    }
  });

  it("are refused by the same checks when broken", async () => {
    const plan = readPlan(tiers, {});
    const [node] = plan.tiers.loadBalancer.nodes;
    if (!node) throw new Error("no load balancer in the plan");
    const files = { ...loadBalancerFiles(plan, node), ...certificates(pem) };
    for (const file of ["haproxy.cfg", "keepalived.conf", "second-chance.nft"]) {
      const at = `/etc/holdfast/${file}`;
      const broken = { ...files, [at]: `${files[at as keyof typeof files]}\nplanted mistake {\n` };
      const { ok } = await inImage("load-balancer", broken, checkBalancer);
      expect(ok, file).toBe(false);
    }
  });
});
