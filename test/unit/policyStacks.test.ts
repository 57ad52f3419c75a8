import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { judge, type Finding } from "./support/judge";
import "./support/noMachines";
import { recordRegistrations, type Registration } from "./support/registrations";
import { inventory } from "./support/settings";

/*
 * The whole program and the whole policy pack, without an engine between them: what the program
 * registers is handed to the policies as the engine hands it.
 */

type Settings = Record<string, Record<string, unknown>>;

const digest = `sha256:${"0a".repeat(32)}`;
const shop = `registry.example.com/shop@${digest}`;
const right: Settings = { ...inventory, stack: { environment: "production" } };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "holdfast-policy-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** Registrations of a stack with these settings on top of the right ones. */
async function registrations(changes: Settings, inFile: Settings = {}): Promise<Registration[]> {
  const file = path.join(folder, "Pulumi.unit.yaml");
  const config = Object.entries(inFile).map(([key, value]) => [`holdfast:${key}`, value]);
  writeFileSync(file, stringify({ config: Object.fromEntries(config) as unknown }));
  vi.stubEnv("HOLDFAST_CONFIG_FILE", file);
  const settings = Object.fromEntries(
    [...new Set([...Object.keys(right), ...Object.keys(changes)])].map((key) => [
      key,
      { ...right[key], ...changes[key] },
    ]),
  );
  vi.resetModules();
  return recordRegistrations(settings, () => import("../../index"));
}

const refusals = (found: readonly Finding[]) =>
  found.filter(({ refused }) => refused).map(({ policy, message }) => `${policy}: ${message}`);

/** The same program with other inputs of one resource, as if a component were wrong. */
const withInputs = (log: readonly Registration[], name: string, changes: object) =>
  log.map((entry) =>
    entry.name === name ? { ...entry, inputs: { ...entry.inputs, ...changes } } : entry,
  );

let production: readonly Registration[];
beforeAll(async () => {
  production = await registrations({});
});

describe("a right production stack", () => {
  it("is not refused, with the samples or with an application of one's own", async () => {
    expect(refusals(await judge(production))).toEqual([]);
    const own = { appPool: { image: shop, tls: "off", healthCommand: ["/bin/check"] } };
    expect(refusals(await judge(await registrations(own)))).toEqual([]);
  });
});

interface WrongStack {
  readonly what: string;
  readonly settings: Settings;
  readonly inFile?: Settings;
  /** What must be among the refusals: the policy, the resource or setting, and the remedy. */
  readonly refusal: RegExp;
}

const list = inventory.machines.list;

const wrongStacks: readonly WrongStack[] = [
  {
    what: "one load balancer",
    settings: { loadBalancer: { count: 1 } },
    refusal:
      /^no-single-point-of-failure: lb-a on n1 .* What removes it: holdfast:loadBalancer\.count: 2$/,
  },
  {
    what: "both web nodes in one rack",
    settings: {
      machines: {
        list: {
          ...list,
          n5: { ...list["n5"], failureDomain: "rack-1" },
          n6: { ...list["n6"], failureDomain: "rack-1" },
        },
      },
    },
    refusal:
      /^no-single-point-of-failure: Failure domain rack-1 .* of webPool.* What removes it: holdfast:webPool\.machines: machines of which no 2 share a failure domain$/,
  },
  {
    what: "a database of one member",
    settings: {
      machines: { list: { ...list, n7: { ...list["n1"], address: "192.0.2.17" } } },
      mysqlCluster: { count: 1, machines: ["n7"] },
    },
    refusal:
      /^no-single-point-of-failure: mysql-a on n7 .* What removes it: holdfast:mysqlCluster\.count: 3/,
  },
  {
    what: "SSH open to everyone, as it is where nothing is said",
    settings: { machines: { adminNetworks: undefined } },
    refusal:
      /^known-administrators: holdfast:machines\.adminNetworks has 0\.0\.0\.0\/0, .*; name the networks that you deploy and administer from/,
  },
  {
    what: "SSH open to half of the internet",
    settings: { machines: { adminNetworks: ["198.51.100.0/24", "128.0.0.0/1"] } },
    refusal: /^known-administrators: holdfast:machines\.adminNetworks has 128\.0\.0\.0\/1, /,
  },
  {
    what: "an image without a digest",
    settings: { appPool: { image: "shop:1.2", tls: "off", healthCommand: ["/bin/check"] } },
    refusal:
      /^image-digest: image app-a-image has shop:1\.2 without a digest; add @sha256:\.\.\. to holdfast:appPool\.image/,
  },
  {
    what: "an application without a health check",
    settings: { appPool: { image: shop, tls: "off" } },
    refusal:
      /^health-check: container app-a-container has no health check; set holdfast:appPool\.healthCommand$/,
  },
  {
    what: "a password in plain text in the stack's file",
    settings: {},
    inFile: { registry: { password: "hunter2" } },
    refusal:
      /^no-plain-text-secret-in-file: holdfast:registry\.password is in plain text.*pulumi config set --secret --path 'holdfast:registry\.password'$/,
  },
  {
    what: "a token in the environment",
    settings: { appPool: { environment: { API_TOKEN: "abc" } } },
    refusal:
      /^no-plain-text-secret: container app-a-container has a secret in variable API_TOKEN.*deliver it as a file below \/run\/secrets$/,
  },
  {
    what: "a password in an address",
    settings: { appPool: { environment: { QUEUE: "amqp://user:pw@mq.example.com" } } },
    refusal: /^no-plain-text-secret: container app-a-container has a secret in variable QUEUE/,
  },
  {
    what: "an application on a port that nobody declared",
    settings: { appPool: { environment: { PORT: "9999" } } },
    refusal:
      /^declared-listeners: container app-a-container listens on port 9999 \(variable PORT\).*declare it in the listeners of appPool$/,
  },
  {
    what: "a command that opens another port",
    settings: { appPool: { command: ["shop", "--metrics.listen-address=:9113"] } },
    refusal: /^declared-listeners: container app-a-container listens on port 9113/,
  },
];

describe("a wrong production stack is refused with resource and remedy", () => {
  it.each(wrongStacks)("$what", async ({ settings, inFile, refusal }) => {
    const found = refusals(await judge(await registrations(settings, inFile)));
    expect(found).toContainEqual(expect.stringMatching(refusal));
  });

  it.each([
    ["no limit of memory", { memory: 0 }, /^limits: .* has no limit of memory; give its workload/],
    ["no limit of swap", { memorySwap: -1 }, /^limits: .* has no limit of swap; set memorySwap/],
    ["no limit of its log", { logOpts: {} }, /^limits: .* has no limit of log size; set logOpts/],
    [
      "no place in a tier",
      { labels: [] },
      /^declared-listeners: .* is no node of a tier.*make it a Node of a tier/,
    ],
    [
      "a key in plain text",
      { uploads: [{ file: "/etc/holdfast/tls/node.key", content: "open" }] },
      /^no-plain-text-secret: .*node\.key in plain text.*wrap its content in pulumi\.secret$/,
    ],
    [
      "an open port of its own",
      { uploads: [{ file: "/etc/nginx/nginx.conf", content: "  listen 9000;\n" }] },
      /^declared-listeners: .* listens on port 9000 \(\/etc\/nginx\/nginx\.conf line 1\)/,
    ],
  ])("a node with %s", async (_, changes, refusal) => {
    const found = refusals(await judge(withInputs(production, "web-a-container", changes)));
    expect(found).toContainEqual(expect.stringMatching(refusal));
    expect(found.every((message) => message.includes("web-a-container"))).toBe(true);
  });

  it("only if it is one for production", async () => {
    const development = { stack: { environment: "development" }, loadBalancer: { count: 1 } };
    expect(await judge(await registrations(development))).toEqual([]);
  });
});
