import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Authority } from "./support/certificates";
import "./support/noMachines";
import { recordRegistrations, type Registration } from "./support/registrations";

const containerType = "docker:index/container:Container";

/** Folders that images leave writable for anyone. */
const scratch = ["/run/lock", "/tmp", "/var/tmp"];

/** A stack, and what each tier's first node must wait for. */
interface Composition {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tiers: Readonly<Record<string, { readonly keys: string[]; readonly after: string[] }>>;
}

const hello: Composition = {
  name: "the hello stack",
  settings: {},
  tiers: {
    lb: { keys: ["lb-a", "lb-b"], after: [] },
    app: { keys: ["app-a", "app-b"], after: ["lb-b-gate"] },
    web: { keys: ["web-a", "web-b"], after: ["app-b-gate"] },
  },
};

const full: Composition = {
  name: "a stack with database, cache and monitoring",
  settings: {
    mysqlCluster: { count: 3 },
    redisCache: { count: 3 },
    monitoring: { count: 2 },
    alerting: { receivers: { chat: { webhook: "https://chat.example.com/private" } } },
    appPool: { sample: "property" },
    passwords: { generation: 2 },
  },
  tiers: {
    ...hello.tiers,
    mysql: { keys: ["mysql-a", "mysql-b", "mysql-c"], after: ["lb-b-gate"] },
    monitor: { keys: ["monitor-a", "monitor-b"], after: ["web-b-gate"] },
    redis: { keys: ["redis-a", "redis-b", "redis-c"], after: ["mysql-group", "mysql-c-gate"] },
    app: { keys: ["app-a", "app-b"], after: ["redis-c-gate", "app-migration-gate"] },
  },
};

describe.each([hello, full])("$name", ({ settings, tiers, name }) => {
  const chained = Object.values(tiers).flatMap(({ keys }) => keys);
  // Each machine has an exporter where there is monitoring, and each service that tells of itself.
  const exporters = tiers["monitor"] ? chained.map((key) => `machine-vm-${key}`) : [];
  const told = /^(mysql|redis|web)-/;
  const services = tiers["monitor"]
    ? chained
        .filter((key) => told.test(key))
        .map((key) => `exporter-${key.replace(/^web/, "nginx")}`)
    : [];
  const nodeKeys = [...chained, ...exporters, ...services];
  /** Key of a node's machine. */
  const machineOf = (key: string) =>
    services.includes(key)
      ? key.replace(/^exporter-/, "vm-").replace("nginx", "web")
      : key.replace(/^(machine-vm-)?/, "vm-");
  let log: Registration[];
  const named = (name: string, type?: string) => {
    const found = log.filter((entry) => entry.name === name && (!type || entry.type === type));
    expect(found, `registrations named ${name}`).toHaveLength(1);
    return found[0] as Registration;
  };

  beforeAll(async () => {
    vi.resetModules();
    log = await recordRegistrations(settings, () => import("../../index"));
  });

  it("has exactly one container, image and gate for each node", () => {
    const nodes = log.filter(({ type }) => type === "holdfast:index:Node");
    expect(nodes.map(({ name }) => name).sort()).toEqual([...nodeKeys].sort());
    for (const { urn, name } of nodes) {
      const children = log.filter(({ parent }) => parent === urn).map((child) => child.name);
      expect(children.sort()).toEqual([`${name}-container`, `${name}-gate`, `${name}-image`]);
    }
  });

  it("names every child after its parent", () => {
    for (const { name, parent } of log) {
      const parentName = parent.split("::").pop() ?? "";
      if (parent.includes("holdfast:index:")) expect(name.startsWith(parentName)).toBe(true);
    }
  });

  it("chains the nodes of a tier through gates, and the tiers in order", () => {
    for (const { keys, after } of Object.values(tiers)) {
      keys.forEach((key, index) => {
        const before = index === 0 ? after : [`${keys[index - 1] ?? ""}-gate`];
        for (const gate of before) {
          expect(named(`${key}-container`).dependsOn, key).toContain(named(gate).urn);
        }
      });
    }
  });

  it("lets no property of one node flow into another", () => {
    for (const key of nodeKeys) {
      const others = nodeKeys.filter((other) => other !== key);
      for (const part of ["container", "gate", "image"]) {
        const sources = Object.values(named(`${key}-${part}`).edges).flat();
        for (const other of others) {
          expect(sources.some((urn) => urn.endsWith(`::${other}-container`))).toBe(false);
          expect(sources.some((urn) => urn.endsWith(`::${other}-gate`))).toBe(false);
        }
      }
    }
  });

  it("deletes a container before its successor is made, and its gate before it", () => {
    for (const key of nodeKeys) {
      const container = named(`${key}-container`, containerType);
      const gate = named(`${key}-gate`);
      expect(container.deleteBeforeReplace).toBe(true);
      expect(gate.deleteBeforeReplace).toBe(true);
      expect(gate.edges["triggers"]).toEqual([container.urn]);
    }
  });

  it("makes a new image beside the old one, which would take every node with it", () => {
    const images = log.filter(({ type }) => /:(RemoteImage|RegistryImage)$/.test(type));
    expect(images.length).toBeGreaterThan(nodeKeys.length);
    for (const { name, deleteBeforeReplace } of images) {
      expect(deleteBeforeReplace, name).toBe(false);
    }
  });

  it("makes a machine of a tier only when the node before it is in service", () => {
    for (const tier of Object.keys(tiers)) {
      expect(named(`vm-${tier}-b-machine`).dependsOn).toContain(named(`${tier}-a-gate`).urn);
      expect(named(`vm-${tier}-a-machine`).dependsOn.some((urn) => urn.includes("-gate"))).toBe(
        false,
      );
    }
  });

  it("replaces a node with its machine", () => {
    for (const key of nodeKeys) {
      const machine = named(`${machineOf(key)}-machine`).urn;
      expect(named(`${key}-container`).edges["labels"]).toContain(machine);
      expect(named(`${key}-image`).edges["pullTriggers"]).toContain(machine);
    }
  });

  it("gives a node no environment, command or file with a secret in plain text", () => {
    for (const key of nodeKeys) {
      expect(JSON.stringify(named(`${key}-container`).inputs["envs"])).not.toContain("private");
    }
  });

  it("shows in labels what a container would keep when it is no longer given", () => {
    for (const key of nodeKeys) {
      const { labels, command, healthcheck } = named(`${key}-container`).inputs as {
        readonly labels: readonly { readonly label: string; readonly value: string }[];
        readonly command?: readonly string[];
        readonly healthcheck?: { readonly tests: readonly string[] };
      };
      const shown = (what: string) => {
        const label = labels.find((each) => each.label === `holdfast.${what}`);
        return label && (JSON.parse(label.value) as unknown);
      };
      expect(shown("command"), key).toEqual(command);
      expect(shown("healthcheck"), key).toEqual(healthcheck?.tests.slice(1));
    }
  });

  it("gives the web nodes volumes and memory to write to", () => {
    const { tmpfs, volumes } = named("web-a-container").inputs;
    expect(volumes).toEqual([{ volumeName: "holdfast-web-a", containerPath: "/var/lib/nginx" }]);
    const own = Object.keys(tmpfs as object).filter((folder) => !scratch.includes(folder));
    expect(own).toEqual(["/run/holdfast", "/run/nginx", "/var/log/nginx"]);
  });

  it("keeps in memory what anyone may write, a quarter of the container's at most", () => {
    for (const key of nodeKeys) {
      const { tmpfs, memory } = named(`${key}-container`).inputs as {
        readonly tmpfs: Readonly<Record<string, string>>;
        readonly memory: number;
      };
      expect(Object.keys(tmpfs), key).toEqual(expect.arrayContaining(scratch));
      expect(tmpfs["/var/tmp"], key).toBe(`mode=1777,size=${Math.floor(memory / 4)}m`);
    }
  });

  it("takes the whole stack down before any guard can hold it back", () => {
    const notice = named("teardown-notice");
    for (const key of nodeKeys) expect(notice.dependsOn).toContain(named(`${key}-gate`).urn);
  });

  it("delivers nothing secret that a password or key is made of, except as a file", () => {
    for (const { name: resource, inputs } of log.filter(({ type }) => type === containerType)) {
      const open = { ...inputs, uploads: undefined };
      expect(JSON.stringify(open), resource).not.toMatch(/ (password|private)/);
    }
  });

  it("has nothing of the exporters where there is no monitoring", () => {
    if (services.length > 0) return;
    const made = log.filter(({ name: resource }) => resource.includes("exporter"));
    expect(made.map(({ type }) => type)).toEqual(["holdfast:index:ServiceExporter"]);
  });

  if (name !== full.name) return;

  it("makes one image for the exporters of services, which get what they log in with as secrets", () => {
    expect(log.filter(({ name: made }) => made === "exporter-image-build")).toHaveLength(1);
    const uploads = (key: string) =>
      named(`${key}-container`).inputs["uploads"] as { file: string; content: unknown }[];
    const files = (key: string) => uploads(key).map(({ file }) => file);
    const own = ["ca.pem", "node.key", "node.pem"].map((file) => `/etc/holdfast/tls/${file}`);
    const web = "/etc/holdfast/web.yml";
    const login = "/run/secrets/exporter";
    expect(files("exporter-mysql-a")).toEqual([...own, web, login]);
    expect(files("exporter-redis-a")).toEqual([...own, login]);
    expect(files("exporter-nginx-a")).toEqual([...own, web]);
    expect(files("machine-vm-web-a")).toEqual([...own, web]);
    const secret = uploads("exporter-mysql-a").find(({ file }) => file === login);
    // What stands for a secret in Pulumi's protocol.
    expect(JSON.stringify(secret?.content)).toContain("1b47061264138c4ac30d75fd1eb44270");
    expect(JSON.stringify(secret?.content)).toContain("passwords-mysql-exporter-2 password");
  });

  it("gives each node that tells metrics a certificate for its name and address", () => {
    const request = (key: string) => named(`pki-${key}-request`).inputs;
    for (const [key, address, ...names] of [
      ["machine-vm-web-a", "10.77.0.21"],
      ["exporter-mysql-b", "10.77.0.42"],
      ["exporter-nginx-b", "10.77.0.22"],
      ["monitor-a", "10.77.0.61", "readers.holdfast.internal"],
    ] as const) {
      expect(request(key)).toMatchObject({
        dnsNames: [key, ...names, "localhost"],
        ipAddresses: [address, "127.0.0.1"],
      });
    }
  });

  it("takes an exporter for in service when its image's health check passes", () => {
    for (const key of [...exporters, ...services]) {
      const { HOLDFAST_GATE: gate } = named(`${key}-gate`).inputs["environment"] as {
        HOLDFAST_GATE: string;
      };
      expect((JSON.parse(gate) as { service: unknown }).service, key).toEqual({
        healthCheck: true,
      });
    }
  });

  it("lets no exporter wait but for a service with accounts, nor any node for an exporter", () => {
    for (const key of [...exporters, ...services]) {
      const waitsFor = named(`${key}-container`).dependsOn.filter((urn) => urn.endsWith("-gate"));
      const [, service] = /^exporter-(mysql|redis)-/.exec(key) ?? [];
      const before = service ? (tiers[service]?.keys ?? []) : [];
      expect(waitsFor.sort(), key).toEqual(before.map((each) => named(`${each}-gate`).urn).sort());
      const users = log.filter(({ dependsOn }) => dependsOn.includes(named(`${key}-gate`).urn));
      expect(users.map((user) => user.name)).toEqual(
        expect.arrayContaining(["teardown-notice", "vm-web-a-firewall-closed"]),
      );
      expect(users.every((user) => /^(teardown-notice|.*-firewall-closed)$/.test(user.name))).toBe(
        true,
      );
    }
  });

  it("lets an exporter see its machine, and change nothing of it", () => {
    const volumes = named("machine-vm-web-a-container").inputs["volumes"] as {
      readOnly: boolean;
    }[];
    expect(volumes).toHaveLength(4);
    for (const { readOnly } of volumes) expect(readOnly).toBe(true);
  });

  it("starts the database group once, after the gates of all its members", () => {
    const group = named("mysql-group");
    for (const key of tiers["mysql"]?.keys ?? []) {
      expect(group.dependsOn).toContain(named(`${key}-gate`).urn);
    }
    expect(group.inputs["triggers"]).toBeUndefined();
  });

  it("migrates before the application rolls, after the data tiers", () => {
    const migration = named("app-migration-container", containerType);
    expect(migration.dependsOn).toContain(named("redis-c-gate").urn);
    expect(migration.inputs["restart"]).toBe("no");
    expect(migration.inputs["envs"]).toContain("MYSQL_USER=migration");
    expect(named("app-migration-gate").edges["triggers"]).toEqual([migration.urn]);
    expect(named("app-a-container").inputs["envs"]).toContain("MYSQL_USER=app");
  });

  it("accepts the passwords of two generations and uses those of the newer", () => {
    const content = (container: string, file: string) =>
      JSON.stringify(
        (named(container).inputs["uploads"] as { file: string; content: unknown }[]).find(
          (upload) => upload.file === file,
        )?.content,
      );
    const accounts = content("mysql-a-container", "/etc/holdfast/accounts.json");
    expect(accounts).toContain("passwords-mysql-app-2 password");
    expect(accounts).toContain("passwords-mysql-app-1 password");
    const used = content("app-a-container", "/run/secrets/mysql-password");
    expect(used).toContain("passwords-mysql-app-2 password");
    expect(used).not.toContain("passwords-mysql-app-1 password");
  });
});

describe("the edge's certificate", () => {
  let authority: Authority;
  beforeAll(() => {
    authority = new Authority();
  });
  afterAll(() => authority.remove());

  async function composed(loadBalancer: Record<string, unknown>): Promise<Registration[]> {
    vi.resetModules();
    return recordRegistrations({ loadBalancer }, () => import("../../index"));
  }
  const delivered = (log: readonly Registration[]) =>
    JSON.stringify(
      (
        log.find(({ name }) => name === "lb-a-container")?.inputs["uploads"] as {
          file: string;
          content: unknown;
        }[]
      ).find(({ file }) => file === "/etc/holdfast/tls/edge.pem")?.content,
    );

  it("is the stack's own, valid for the stack's names and address", async () => {
    const log = await composed({ hostnames: ["shop.example.com"] });
    const request = log.find(({ name }) => name === "pki-edge-request");
    expect(request?.inputs).toMatchObject({
      dnsNames: ["shop.example.com"],
      ipAddresses: ["10.77.0.5"],
    });
    expect(delivered(log)).toContain("pki-edge certificate");
  });

  it("is among those of which the first to end is an output", async () => {
    vi.resetModules();
    let end: unknown;
    await recordRegistrations({}, async () => {
      const program = await import("../../index");
      program.certificateExpiry.apply((value) => (end = value));
    });
    expect(end).toEqual({ certificate: "pki-ca", notAfter: "2030-01-01T00:00:00.000Z" });
  });

  it("is the operator's, secret, and no other is made", async () => {
    const { certificate, key } = authority.issue();
    const log = await composed({
      certificate: "files",
      hostnames: ["shop.example.com"],
      secrets: { certificateChain: certificate, certificateKey: key },
    });
    expect(log.filter(({ name }) => name.startsWith("pki-edge"))).toEqual([]);
    const content = delivered(log);
    expect(content).toContain("1b47061264138c4ac30d75fd1eb44270");
    expect(content).toContain(JSON.stringify(certificate + key).slice(1, -1));
  });
});

describe("TLS between the tiers", () => {
  const composed = async (tls: string) => {
    vi.resetModules();
    const settings = { monitoring: { count: 1 }, appPool: { tls }, webPool: { tls } };
    return recordRegistrations(settings, () => import("../../index"));
  };
  const named = (log: readonly Registration[], name: string) =>
    log.find((entry) => entry.name === name)?.inputs ?? {};
  const files = (log: readonly Registration[], node: string) =>
    (named(log, `${node}-container`)["uploads"] as readonly { file: string }[])
      .map(({ file }) => file)
      .filter((file) => /\/(tls|secrets)\//.test(file));
  const app = ["ca.pem", "tls.key", "tls.pem"].map((name) => `/run/secrets/${name}`);
  const web = ["ca.pem", "node.key", "node.pem"].map((name) => `/etc/holdfast/tls/${name}`);
  const service = (log: readonly Registration[], node: string) => {
    const { HOLDFAST_GATE } = named(log, `${node}-gate`)["environment"] as Record<string, string>;
    return (JSON.parse(HOLDFAST_GATE ?? "") as { service: unknown }).service;
  };

  it("gives each node a certificate for its name and address, and tells the application", async () => {
    const log = await composed("require");
    expect(files(log, "app-a")).toEqual(app);
    expect(files(log, "web-b")).toEqual(web);
    expect(files(log, "monitor-a")).toContain("/etc/holdfast/tls/ca.pem");
    expect(named(log, "pki-app-b-request")).toMatchObject({
      dnsNames: ["app-b", "localhost"],
      ipAddresses: ["10.77.0.32", "127.0.0.1"],
    });
    expect(named(log, "app-a-container")["envs"]).toEqual(
      expect.arrayContaining([
        "HOST=127.0.0.1",
        "PORT=8080",
        "TLS_CERTIFICATE=/run/secrets/tls.pem",
        "TLS_KEY=/run/secrets/tls.key",
        "TLS_PORT=8443",
      ]),
    );
    expect(service(log, "app-a")).toEqual({
      passwords: 1,
      probe: { port: 8080, path: "/readyz", loopback: true },
      backends: ["app"],
      tls: "require",
    });
  });

  it("leaves what is reached without it where it is not the only way", async () => {
    const envs = named(await composed("prefer"), "app-a-container")["envs"];
    expect(envs).toContain("TLS_PORT=8443");
    expect(envs).not.toContain("HOST=127.0.0.1");
  });

  it("is none by default, but for the load balancers' part of the endpoint", async () => {
    const log = await composed("off");
    expect([files(log, "app-a"), files(log, "web-a")]).toEqual([[], []]);
    expect(service(log, "web-a")).toEqual({
      probe: { port: 8080, path: "/readyz" },
      backends: ["web"],
    });
    expect(named(log, "app-a-container")["envs"]).not.toContain("TLS_PORT=8443");
    expect(files(log, "lb-b")).toEqual(
      ["ca.pem", "edge.pem", "endpoints.pem", "node.key", "node.pem"].map(
        (name) => `/etc/holdfast/tls/${name}`,
      ),
    );
    expect(named(log, "pki-lb-b-request")).toMatchObject({
      dnsNames: ["lb-b", "app", "localhost"],
      ipAddresses: ["10.77.0.12", "10.77.0.6", "127.0.0.1"],
    });
  });
});

describe("a switch of TLS for health and metrics", () => {
  const settings = {
    mysqlCluster: { count: 3 },
    redisCache: { count: 3 },
    backup: { count: 1 },
    appPool: { sample: "property" },
  };
  type Inputs = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  const containers = async (metricsTls: string): Promise<Inputs> => {
    vi.resetModules();
    const log = await recordRegistrations(
      { ...settings, pki: { metricsTls } },
      () => import("../../index"),
    );
    return Object.fromEntries(
      log.flatMap(({ name, type, inputs }) =>
        type === containerType || name.endsWith("-gate") ? [[name, inputs]] : [],
      ),
    );
  };
  const stages: Record<string, Inputs> = {};
  const differing = (one: string, other: string, part: string) =>
    Object.keys(stages[one] ?? {})
      .filter((name) => name.endsWith(part))
      .filter(
        (name) => JSON.stringify(stages[one]?.[name]) !== JSON.stringify(stages[other]?.[name]),
      )
      .map((name) => name.slice(0, -part.length))
      .sort();
  const agents = [
    ...["backup-a", "lb-a", "lb-b", "mysql-a", "mysql-b", "mysql-c"],
    ...["redis-a", "redis-b", "redis-c"],
  ];

  beforeAll(async () => {
    for (const stage of ["off", "prefer", "require"]) stages[stage] = await containers(stage);
  });

  it.each([
    ["off", "prefer"],
    ["prefer", "require"],
  ])("from %s to %s replaces the nodes with agents, and no other", (before, after) => {
    expect(differing(before, after, "-container")).toEqual(agents);
    expect(differing(before, after, "-gate")).toEqual(agents);
  });

  it("is recorded where the next one looks for it", () => {
    for (const stage of ["off", "prefer", "require"]) {
      const recorded = agents.map((node) => {
        const environment = stages[stage]?.[`${node}-gate`]?.["environment"];
        const { HOLDFAST_GATE = "" } = environment as Record<string, string>;
        return (JSON.parse(HOLDFAST_GATE) as { service: { metricsTls?: string } }).service
          .metricsTls;
      });
      expect(recorded).toEqual(agents.map(() => stage));
    }
  });

  it("gives every agent its node's certificate, whatever the stage", () => {
    for (const node of agents) {
      const uploads = stages["off"]?.[`${node}-container`]?.["uploads"] as { file: string }[];
      const files = uploads.map(({ file }) => file);
      for (const name of ["ca.pem", "node.key", "node.pem"]) {
        expect(files, node).toContain(`/etc/holdfast/tls/${name}`);
      }
    }
  });
});
