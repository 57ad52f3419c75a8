import { describe, expect, it } from "vitest";
import { readPlan, type StackPlan } from "../../model/stack";
import type { Tiers } from "../../model/tier";
import {
  missingDigest,
  missingHealthChecks,
  missingLimits,
  settingWith,
} from "../../policy/containers";
import { undeclaredListeners } from "../../policy/listeners";
import {
  containerType,
  imageType,
  SecretValue,
  unknown,
  type Declared,
  type Finished,
} from "../../policy/resource";
import { openSecrets, secretsInFile } from "../../policy/secrets";
import { pointsOfFailure } from "../../policy/spof";
import { tiers } from "../../tiers";

const plan = (raw: Record<string, unknown> = {}): StackPlan<Tiers> => readPlan(tiers, raw);

const digest = `sha256:${"0a".repeat(32)}`;
const pem = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\n";

/** Inputs of a right node of the web tier, as components/node.ts declares it. */
const right = {
  image: digest,
  networkMode: "host",
  restart: "always",
  memory: 256,
  memorySwap: 256,
  logOpts: { "max-file": "3", "max-size": "10m" },
  envs: ["NODE_NAME=web-a"],
  uploads: [{ file: "/etc/nginx/nginx.conf", content: "  listen 8080 default_server;\n" }],
  labels: [
    { label: "holdfast.node", value: "web-a" },
    { label: "holdfast.tier", value: "webPool" },
  ],
};

function container(
  changes: Record<string, unknown> = {},
  others: Partial<Declared> = {},
): Declared {
  return {
    urn: "urn:pulumi:p::holdfast::x::web-a-container",
    type: containerType,
    name: "web-a-container",
    onMachine: true,
    inputs: { ...right, ...changes },
    ...others,
  };
}

const here = { onMachine: false };
const job = { restart: "no" };

describe("limits", () => {
  it("are there", () => {
    expect(missingLimits(container())).toEqual([]);
  });

  it.each([
    [{ memory: undefined }, "memory; give its workload memoryMegabytes"],
    [{ memory: 0 }, "memory; give its workload memoryMegabytes"],
    [{ memorySwap: undefined }, "swap; set memorySwap to the same as memory"],
    [{ memorySwap: -1 }, "swap; set memorySwap to the same as memory"],
    [{ logOpts: {} }, 'log size; set logOpts "max-size" and "max-file"'],
    [{ ...job, memory: undefined }, "memory; give its workload memoryMegabytes"],
  ])("are missing in %j", (changes, expected) => {
    expect(missingLimits(container(changes))).toEqual([
      `container web-a-container has no limit of ${expected}`,
    ]);
  });

  it("are not judged before they are known, nor on the deployer's own engine", () => {
    expect(missingLimits(container({ memory: unknown, logOpts: unknown }))).toEqual([]);
    expect(missingLimits(container({ memory: undefined }, here))).toEqual([]);
  });
});

describe("images", () => {
  const image = (name: unknown, others: Partial<Declared> = {}): Declared =>
    container({}, { type: imageType, name: "app-a-image", inputs: { name }, ...others });
  const settings = { appPool: { image: "shop:1.2" } };

  it("have a digest", () => {
    expect(missingDigest(image(`registry.example.com/shop@${digest}`), settings)).toEqual([]);
    expect(missingDigest(container(), settings)).toEqual([]);
    expect(missingDigest(container({ image: `shop@${digest}` }), settings)).toEqual([]);
  });

  it("name the setting where they have none", () => {
    expect(missingDigest(image("shop:1.2"), settings)).toEqual([
      "image app-a-image has shop:1.2 without a digest; add @sha256:... to holdfast:appPool.image (docker buildx imagetools inspect shop:1.2 prints it)",
    ]);
    expect(missingDigest(container({ image: "nginx" }), {})).toEqual([
      "container web-a-container has nginx without a digest; add @sha256:... to its name (docker buildx imagetools inspect nginx prints it)",
    ]);
    expect(missingDigest(image("shop@sha256:short"), settings)).toHaveLength(1);
  });

  it("are not judged before they are known, nor while they are built here", () => {
    expect(missingDigest(image(unknown), settings)).toEqual([]);
    expect(missingDigest(image("127.0.0.1:5000/web:1", here), settings)).toEqual([]);
  });

  it("are found in the settings wherever they are", () => {
    expect(settingWith("x", { a: { b: ["y", "x"] } })).toBe("holdfast:a.b.1");
    expect(settingWith("z", { a: { b: ["y", "x"] } })).toBeUndefined();
  });
});

describe("health checks", () => {
  const made = (name: string, inputs: object, madeFrom: Finished["madeFrom"]): Finished => ({
    urn: name,
    type: imageType,
    name,
    onMachine: true,
    inputs: { ...inputs },
    madeFrom,
  });
  const dockerfiles: Record<string, string> = {
    "images/good": 'FROM debian\nHEALTHCHECK --interval=10s CMD ["health"]\n',
    "images/none": "FROM debian\nHEALTHCHECK NONE\n",
    "images/bad": "FROM debian\n# HEALTHCHECK CMD true\n",
  };
  /** A container, the image that it pulls, its push, and its build, as the program makes them. */
  function built(context: unknown, changes: Record<string, unknown> = {}): Finished[] {
    return [
      { ...container(changes), madeFrom: { image: ["pull"] } },
      made("pull", { name: unknown }, { name: ["push"] }),
      {
        ...made("push", {}, { triggers: ["build"] }),
        type: "docker:index/registryImage:RegistryImage",
      },
      made("build", context === undefined ? {} : { build: { context } }, {}),
    ];
  }
  const check = (resources: Finished[], knows = false) =>
    missingHealthChecks(
      resources,
      (context) => dockerfiles[context],
      (tier, setting) => knows && tier === "webPool" && setting === "healthCommand",
    ).map(({ message }) => message);

  it("come from the Dockerfile or from the container", () => {
    expect(check(built("images/good"))).toEqual([]);
    const own = { healthcheck: { tests: ["CMD", "health"] } };
    expect(check(built("images/bad", own))).toEqual([]);
    expect(check(built(undefined, own))).toEqual([]);
  });

  it.each(["images/bad", "images/none", "images/missing"])("are missing in %s", (context) => {
    const [, image] = context.split("/");
    expect(check(built(context))).toEqual([
      `container web-a-container has no health check; add HEALTHCHECK to the Dockerfile of image ${image ?? ""}`,
    ]);
  });

  it("are missing where the container turns them off", () => {
    expect(check(built("images/bad", { healthcheck: { tests: ["NONE"] } }))).toHaveLength(1);
  });

  it("of an image from elsewhere are a setting, where the tier has it", () => {
    expect(check(built(undefined), true)).toEqual([
      "container web-a-container has no health check; set holdfast:webPool.healthCommand",
    ]);
    expect(check(built(undefined))).toEqual([
      "container web-a-container has no health check; give its workload a healthCheck",
    ]);
  });

  it("are not asked of what runs once, nor on the deployer's own engine", () => {
    expect(check(built("images/bad", job))).toEqual([]);
    expect(check([{ ...container({}, here), madeFrom: {} }])).toEqual([]);
  });

  it("end their search where images are made from each other", () => {
    const loop = [
      { ...container(), madeFrom: { image: ["a"] } },
      made("a", {}, { name: ["b"] }),
      made("b", {}, { name: ["a"] }),
    ];
    expect(check(loop)).toHaveLength(1);
  });
});

describe("secrets in the stack's file", () => {
  it("are encrypted", () => {
    expect(
      secretsInFile({
        registry: { username: "deploy", password: { secure: "v1:a" } },
        appPool: { secrets: { "api-key": { secure: "v1:b" } }, environment: { LEVEL: "info" } },
        machines: { privateKey: { secure: "v1:c" } },
        loadBalancer: { secure: "v1:whole section" },
      }),
    ).toEqual([]);
  });

  it.each([
    [{ registry: { password: "hunter2" } }, "holdfast:registry.password"],
    [{ appPool: { secrets: { a: { secure: "v1:a" }, b: "plain" } } }, "holdfast:appPool.secrets.b"],
    [{ appPool: { secrets: { pin: 1234 } } }, "holdfast:appPool.secrets.pin"],
    [{ machines: { privateKey: pem } }, "holdfast:machines.privateKey"],
    [{ appPool: { environment: { KEY: pem } } }, "holdfast:appPool.environment.KEY"],
    [{ appPool: { environment: { U: "smtp://a:b@mail" } } }, "holdfast:appPool.environment.U"],
  ])("are in plain text in %j", (settings, key) => {
    expect(secretsInFile(settings)).toEqual([
      `${key} is in plain text in the stack's file; take it out and set it with: pulumi config set --secret --path '${key}'`,
    ]);
  });
});

describe("secrets of resources", () => {
  const upload = (file: string, content: unknown) => ({ uploads: [{ file, content }] });

  it("are marked, or not there", () => {
    expect(openSecrets(container())).toEqual([]);
    expect(openSecrets(container(upload("/run/secrets/api-key", new SecretValue("x"))))).toEqual(
      [],
    );
    expect(openSecrets(container(upload("/etc/tls/node.key", new SecretValue(pem))))).toEqual([]);
    expect(openSecrets(container(upload("/run/secrets/later", unknown)))).toEqual([]);
    expect(openSecrets(container({ uploads: new SecretValue([{ content: pem }]) }))).toEqual([]);
    expect(
      openSecrets(container(upload("/run/secrets/ca.pem", "-----BEGIN CERTIFICATE-----\nMII"))),
    ).toEqual([]);
    expect(
      openSecrets(
        container({ envs: ["API_TOKEN_FILE=/x", "DB_PASSWORD=/run/secrets/p", "TOKENS=3"] }),
      ),
    ).toEqual([]);
  });

  it.each([
    ["DB_PASSWORD=hunter2", "DB_PASSWORD"],
    ["STRIPE_API_KEY=sk", "STRIPE_API_KEY"],
    ["QUEUE=amqp://user:pw@mq:5672", "QUEUE"],
  ])("are in the environment with %s", (entry, variable) => {
    const message = `container web-a-container has a secret in variable ${variable}, which docker inspect shows; deliver it as a file below /run/secrets`;
    expect(openSecrets(container({ envs: ["A=b", entry] }))).toEqual([message]);
    // Marked as secret it is in docker inspect nevertheless.
    expect(openSecrets(container({ envs: [new SecretValue(entry)] }))).toEqual([message]);
  });

  it("are files without the mark", () => {
    expect(openSecrets(container(upload("/run/secrets/api-key", "x")))).toEqual([
      "container web-a-container has /run/secrets/api-key in plain text in the stack's state; wrap its content in pulumi.secret",
    ]);
    expect(openSecrets(container(upload("/etc/app.conf", `key:\n${pem}`)))).toEqual([
      "web-a-container shows a secret in uploads.0.content; wrap it in pulumi.secret",
    ]);
  });

  it("are inputs of anything else", () => {
    const command = (inputs: Record<string, unknown>) =>
      openSecrets({ ...container(), type: "command:local:Command", name: "hook", inputs });
    expect(command({ create: "curl https://bot:pw@example.com" })).toEqual([
      "hook shows a secret in create; wrap it in pulumi.secret",
    ]);
    expect(command({ environment: { DEPLOY_TOKEN: "abc" } })).toEqual([
      "hook shows a secret in environment.DEPLOY_TOKEN; wrap it in pulumi.secret",
    ]);
    expect(command({ environment: { DEPLOY_TOKEN: new SecretValue("abc") } })).toEqual([]);
    expect(command({ authConfig: { password: "abc" } })).toHaveLength(1);
    expect(command({ privateKeyPem: "abc" })).toHaveLength(1);
    expect(command({ create: "curl https://example.com:8443/a@b" })).toEqual([]);
  });
});

describe("listeners", () => {
  const full = plan({ mysqlCluster: { count: 3 }, redisCache: { count: 3 } });
  const node = (key: string, tier: string, changes: Record<string, unknown>) =>
    undeclaredListeners(
      container({
        ...changes,
        labels: [
          { label: "holdfast.node", value: key },
          { label: "holdfast.tier", value: tier },
        ],
      }),
      full,
    );
  const file = (content: string) => ({ uploads: [{ file: "/etc/x.conf", content }] });

  it("are declared", () => {
    expect(node("web-a", "webPool", file("listen 8080 default_server backlog=4096;"))).toEqual([]);
    expect(
      node(
        "lb-a",
        "loadBalancer",
        file("  bind 10.0.0.5:80\n  bind 10.0.0.5:443 ssl crt /x\n  bind 10.0.0.11:8404\n"),
      ),
    ).toEqual([]);
    expect(
      node(
        "mysql-a",
        "mysqlCluster",
        file("port = 3306\ngroup_replication_local_address = 10.0.0.41:3306\n"),
      ),
    ).toEqual([]);
    expect(node("redis-a", "redisCache", file("bind 10.0.0.51\nport 0\ntls-port 6379\n"))).toEqual(
      [],
    );
    expect(node("app-a", "appPool", { uploads: [], envs: ["PORT=8080"] })).toEqual([]);
  });

  it("do not count on loopback and in the file system", () => {
    const lines =
      "listen 127.0.0.1:8081;\nbind 127.0.0.1:8404\nlisten unix:/run/x;\nlisten [::1]:9;\nbind unix@/run/h level admin\n";
    expect(node("web-a", "webPool", file(lines))).toEqual([]);
  });

  it.each([
    ["listen 9000;", 9000],
    ["bind *:9000", 9000],
    ["bind 10.0.0.5:80,10.0.0.5:9000", 9000],
    ["listen 0.0.0.0:9000 ssl;", 9000],
    ["tls-port 6390", 6390],
    ["mysqlx_port=33060", 33060],
    ["http.listen: 0.0.0.0:9000", 9000],
  ])("that %j makes are not declared", (line, port) => {
    const found = node("lb-a", "loadBalancer", file(`# first line\n${line}\n`));
    expect(found).toEqual([
      `container web-a-container listens on port ${port} (/etc/x.conf line 2), which no connection declares; declare it in the listeners of loadBalancer`,
    ]);
  });

  it("are found in arguments, environment and published ports", () => {
    const none = { uploads: [], envs: [] };
    const where = (changes: Record<string, unknown>) =>
      node("web-a", "webPool", { ...none, ...changes }).map(
        (message) => /\((.*)\)/.exec(message)?.[1],
      );
    expect(where({ command: ["--web.listen-address=:9113", "--log.level=info"] })).toEqual([
      "argument --web.listen-address=:9113",
    ]);
    expect(where({ envs: ["PORT=3000"] })).toEqual(["variable PORT"]);
    expect(where({ envs: ["TLS_PORT=3000"] })).toEqual(["variable TLS_PORT"]);
    expect(where({ ports: [{ internal: 80, external: 8088 }] })).toEqual(["its published ports"]);
    expect(where({ ports: [{ internal: 80, external: 8080 }] })).toEqual([]);
  });

  it("are found in secret files too", () => {
    const secret = { uploads: [{ file: "/s", content: new SecretValue("listen 1234;") }] };
    expect(node("web-a", "webPool", secret)).toHaveLength(1);
    expect(node("web-a", "webPool", { uploads: unknown })).toEqual([]);
  });

  it("of a container that is no node are unknown", () => {
    const stray = (changes: Record<string, unknown>, others: Partial<Declared> = {}) =>
      undeclaredListeners(container({ labels: [], ...changes }, others), full);
    expect(stray({})).toEqual([
      "container web-a-container is no node of a tier, and nothing declares what it listens on; make it a Node of a tier with listeners",
    ]);
    expect(stray({ networkMode: "bridge", ports: [{ internal: 1, external: 1 }] })).toHaveLength(1);
    expect(stray({ networkMode: "bridge" })).toEqual([]);
    expect(stray(job)).toEqual([]);
    expect(stray({}, here)).toEqual([]);
    // A label alone does not make it one.
    expect(node("web-z", "webPool", {})).toHaveLength(1);
    expect(node("web-a", "unheardOf", {})).toHaveLength(1);
  });
});

describe("single points of failure", () => {
  it("are none in the hello stack", () => {
    expect(pointsOfFailure(plan({}))).toEqual({ noticed: [], unnoticed: [] });
  });

  it("are refused with their risk and what removes them", () => {
    expect(pointsOfFailure(plan({ loadBalancer: { count: 1 } })).noticed).toEqual([
      "lb-a on vm-lb-a is the only node of loadBalancer: each update, restart or failure of it interrupts the tier. Risk C23. What removes it: holdfast:loadBalancer.count: 2",
    ]);
  });

  it("are only mentioned where users do not notice them", () => {
    const one = plan({ loadBalancer: { count: 1 } });
    const balancer = one.tiers["loadBalancer"]!;
    const unimportant = {
      ...balancer,
      declaration: { ...balancer.declaration, serviceClass: "non-critical" as const },
    };
    const { noticed, unnoticed } = pointsOfFailure({
      ...one,
      tiers: { ...one.tiers, loadBalancer: unimportant },
    });
    expect(noticed).toEqual([]);
    expect(unnoticed).toHaveLength(1);
    expect(unnoticed[0]).toContain("Risk H16.");
  });
});
