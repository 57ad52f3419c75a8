import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { grafanaFiles, grafanaUrls, readerHosts } from "../../components/grafana.files";
import { allowedElements, connections } from "../../model/connections";
import { architectureDiagram } from "../../model/diagram";
import { missingImages, refusalText, wantedImages, withoutText } from "../../model/optionalImages";
import { singlePoints } from "../../model/spof";
import { planStack, readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { judge } from "./support/judge";
import "./support/noMachines";
import { recordRegistrations, type Registration } from "./support/registrations";
import { inventory } from "./support/settings";

const monitored = { monitoring: { count: 2 } };
const planOf = (raw: Record<string, unknown>) => readPlan(tiers, raw);
const nodesOf = (raw: Record<string, unknown>) =>
  planOf(raw).tiers.grafana.nodes.map(({ key, machine }) => [key, machine.key]);

describe("Grafana", () => {
  it("stands beside each monitoring node", () => {
    expect(nodesOf(monitored)).toEqual([
      ["grafana-a", "vm-monitor-a"],
      ["grafana-b", "vm-monitor-b"],
    ]);
    const shared = { ...inventory, monitoring: { count: 2, machines: ["n3", "n6"] } };
    expect(nodesOf(shared)).toEqual([
      ["grafana-a", "n3"],
      ["grafana-b", "n6"],
    ]);
  });

  it("is not there without monitoring, or where nobody wants it", () => {
    expect(nodesOf({})).toEqual([]);
    expect(nodesOf({ ...monitored, grafana: { wanted: "never" } })).toEqual([]);
  });

  it("adds no machine, and no exporter", () => {
    const machines = (raw: Record<string, unknown>) => [
      planOf(raw).machines,
      planOf(raw).tiers.machineExporter.nodes,
    ];
    expect(machines(monitored)).toEqual(machines({ ...monitored, grafana: { wanted: "never" } }));
  });

  it("lets operators in and asks the readers of every monitoring node", () => {
    const plan = planOf({ ...monitored, machines: { adminNetworks: ["198.51.100.0/24"] } });
    expect(allowedElements(plan, "vm-monitor-a")).toEqual(
      expect.arrayContaining([
        { source: "198.51.100.0/24", protocol: "tcp", port: 3000 },
        { source: "10.77.0.62/32", protocol: "tcp", port: 9204 },
      ]),
    );
    const asked = connections(plan).filter(({ source }) => source === "grafana");
    expect(new Set(asked.map(({ listener }) => listener))).toEqual(new Set(["reader"]));
    expect(architectureDiagram(plan)).toContain('  grafana -->|"reader: tcp 9204"| monitoring');
  });

  it("opens nothing where it is not", () => {
    const plan = planOf({ ...monitored, grafana: { wanted: "never" } });
    expect(connections(plan).filter(({ port }) => port === 3000)).toEqual([]);
  });

  it("is missed with its machine, and by nobody alone", () => {
    const points = singlePoints(planOf({ monitoring: { count: 1 } }));
    expect(points.flatMap((point) => point.tiers)).not.toContain("grafana");
  });

  it("must have its port free", () => {
    expect(() => planOf({ ...monitored, grafana: { port: 9093 } })).toThrow(
      /holdfast:grafana\.port: .*9093/,
    );
  });
});

describe("an image that a stack can do without", () => {
  const image = "docker.io/grafana/grafana:12.4.4";

  it("is missed where nodes are made from it and this computer lacks it", () => {
    const plan = planOf(monitored);
    expect(missingImages(plan, () => true)).toEqual([]);
    expect(missingImages(plan, () => false)).toEqual([{ tier: "grafana", image, required: false }]);
    expect(missingImages(planOf({}), () => false)).toEqual([]);
    const always = planOf({ ...monitored, grafana: { wanted: "always", image: "own/grafana:1" } });
    expect(missingImages(always, (name) => name === image)).toEqual([
      { tier: "grafana", image: "own/grafana:1", required: true },
    ]);
  });

  it("takes its tier's nodes from the plan, and nothing else", () => {
    const plan = planOf(monitored);
    const without = planStack(tiers, plan.settings, ["grafana"]);
    expect(without.tiers.grafana.nodes).toEqual([]);
    expect(connections(without)).toEqual(
      connections(plan).filter(({ source, tier }) => source !== "grafana" && tier !== "grafana"),
    );
    expect(without.tiers.monitoring.nodes).toEqual(plan.tiers.monitoring.nodes);
  });

  it("is told of in one line that says what to do", () => {
    const missing = { tier: "grafana", image, required: false };
    expect(withoutText(missing)).toBe(
      `without grafana: its image ${image} cannot be had here; all else works (docker pull it, or name a copy in holdfast:grafana.image)`,
    );
    expect(refusalText(missing)).toContain("nothing was changed");
    expect(withoutText(missing)).not.toContain("\n");
  });

  it("is fetched for a stack that would have it, whatever its secrets", () => {
    expect(wantedImages(tiers, monitored)).toEqual([image]);
    expect(wantedImages(tiers, {})).toEqual([]);
    expect(wantedImages(tiers, { ...monitored, grafana: { wanted: "never" } })).toEqual([]);
    const secure = { secure: "v1:abc" };
    const raw = { ...monitored, machines: { privateKey: secure }, grafana: { image: "g:1" } };
    expect(wantedImages(tiers, raw)).toEqual(["g:1"]);
  });
});

describe("files of a Grafana node", () => {
  const plan = planOf({ ...monitored, grafana: { port: 3443 } });
  const files = grafanaFiles(plan, plan.tiers.grafana.nodes[1]!);

  it("let nobody in without a password, and tell nobody outside", () => {
    const ini = files["/etc/grafana/grafana.ini"] ?? "";
    for (const line of [
      "protocol = https",
      "http_addr = 10.77.0.62",
      "http_port = 3443",
      "root_url = https://10.77.0.62:3443/",
      "[auth.anonymous]\nenabled = false",
      "allow_sign_up = false",
      "reporting_enabled = false",
      "preinstall_disabled = true",
    ]) {
      expect(ini).toContain(`${line}\n`);
    }
    expect(ini).not.toMatch(/^admin_password/m);
  });

  const jsonData = { httpMethod: "POST", prometheusType: "Prometheus", timeInterval: "5s" };
  const sourcesOf = (rendered: Readonly<Record<string, string>>) => {
    const { datasources } = parse(
      rendered["/etc/grafana/provisioning/datasources/holdfast.yaml"] ?? "",
    ) as { datasources: Record<string, unknown>[] };
    return datasources;
  };

  it("ask the readers over TLS from `prefer` on", () => {
    const at = (metricsTls: string) => {
      const other = planOf({ ...monitored, pki: { metricsTls } });
      return sourcesOf(grafanaFiles(other, other.tiers.grafana.nodes[0]!))[0]!;
    };
    expect(at("off")).toMatchObject({ url: "http://readers.holdfast.internal:9204", jsonData });
    expect(at("off")).not.toHaveProperty("secureJsonData");
    expect(at("prefer")).toEqual(at("require"));
    expect(at("prefer")["url"]).toBe("https://readers.holdfast.internal:9204");
  });

  it("name one source, and every reader by its name", () => {
    expect(sourcesOf(files)).toEqual([
      {
        name: "Prometheus",
        uid: "holdfast",
        type: "prometheus",
        access: "proxy",
        url: "https://readers.holdfast.internal:9204",
        isDefault: true,
        editable: false,
        jsonData: { ...jsonData, tlsAuthWithCACert: true },
        secureJsonData: { tlsCACert: "$__file{/etc/holdfast/tls/ca.pem}" },
      },
    ]);
    expect(readerHosts(plan)).toEqual([
      { host: "readers.holdfast.internal", ip: "10.77.0.61" },
      { host: "readers.holdfast.internal", ip: "10.77.0.62" },
    ]);
  });

  it("have every dashboard where the provider looks", () => {
    const { providers } = parse(
      files["/etc/grafana/provisioning/dashboards/holdfast.yaml"] ?? "",
    ) as { providers: { options: { path: string }; allowUiUpdates: boolean }[] };
    const folder = providers[0]?.options.path ?? "";
    expect(providers[0]?.allowUiUpdates).toBe(false);
    const found = Object.keys(files).filter((file) => file.startsWith(`${folder}/`));
    expect(found).toContain(`${folder}/holdfast-overview.json`);
    for (const file of found) {
      const { uid } = JSON.parse(files[file] ?? "") as { uid: string };
      expect(file).toBe(`${folder}/${uid}.json`);
    }
    expect(files["/etc/grafana/grafana.ini"]).toContain(
      `default_home_dashboard_path = ${folder}/holdfast-overview.json\n`,
    );
  });

  it("are reached at the addresses of the output, which is absent without Grafana", () => {
    expect(grafanaUrls(plan)).toEqual(["https://10.77.0.61:3443/", "https://10.77.0.62:3443/"]);
    expect(grafanaUrls(planOf({}))).toBeUndefined();
  });
});

describe("the program", () => {
  afterEach(() => vi.unstubAllEnvs());

  async function composed(has: boolean, settings: Record<string, unknown> = monitored) {
    vi.stubEnv("UNIT_HAS_IMAGES", has ? "yes" : "no");
    vi.resetModules();
    let outputs: Record<string, unknown> = {};
    const log = await recordRegistrations(settings, async () => {
      const { grafana, grafanaPassword } = await import("../../index");
      outputs = { grafana, grafanaPassword };
    });
    return { log, outputs };
  }

  describe("where the image is there", () => {
    let log: readonly Registration[];
    let outputs: Record<string, unknown>;
    const inputsOf = (name: string) => log.find((entry) => entry.name === name)?.inputs ?? {};
    beforeAll(async () => ({ log, outputs } = await composed(true)));

    it("makes its own image of the official one", () => {
      expect(inputsOf("grafana-image-build")["build"]).toMatchObject({
        buildArgs: { BASE: "docker.io/grafana/grafana:12.4.4" },
      });
      expect(inputsOf("grafana-a-image")["name"]).toMatch(/holdfast\/grafana@sha256:/);
    });

    it("delivers the password as a file, and names it in the environment", () => {
      const { envs, uploads, hosts } = inputsOf("grafana-b-container") as {
        envs: string[];
        uploads: { file: string; content: unknown }[];
        hosts: unknown;
      };
      expect(envs).toEqual([
        "GF_SECURITY_ADMIN_PASSWORD__FILE=/run/secrets/grafana-admin-password",
      ]);
      const password = uploads.find(({ file }) => file === "/run/secrets/grafana-admin-password");
      expect(JSON.stringify(password?.content)).toContain("passwords-grafana-admin-1 password");
      // The SDK marks a secret with this signature.
      expect(JSON.stringify(password?.content)).toContain("1b47061264138c4ac30d75fd1eb44270");
      expect(hosts).toHaveLength(2);
    });

    it("is as hard as every other container, and writes to memory alone", () => {
      const { capabilities, securityOpts, memory, volumes, tmpfs } =
        inputsOf("grafana-a-container");
      expect(capabilities).toEqual({ drops: ["ALL"] });
      expect(securityOpts).toEqual(["no-new-privileges:true"]);
      expect(memory).toBe(512);
      expect(volumes).toEqual([]);
      expect(Object.keys(tmpfs as object).sort()).toEqual([
        "/run/lock",
        "/tmp",
        "/var/lib/grafana",
        "/var/tmp",
      ]);
    });

    it("comes after monitoring, one node at a time", () => {
      const waits = (name: string) =>
        log.find((entry) => entry.name === name)?.dependsOn.map((urn) => urn.split("::").pop());
      expect(waits("grafana-a-container")).toContain("monitor-b-gate");
      expect(waits("grafana-b-container")).toContain("grafana-a-gate");
    });

    it("says where it is", () => {
      expect(outputs["grafana"]).toEqual(["https://10.77.0.61:3000/", "https://10.77.0.62:3000/"]);
      expect(outputs["grafanaPassword"]).toBeDefined();
    });
  });

  it("is let into production by the policies", async () => {
    vi.stubEnv("HOLDFAST_CONFIG_FILE", "/nonexistent/Pulumi.unit.yaml");
    const { log } = await composed(true, {
      ...inventory,
      stack: { environment: "production" },
      monitoring: { count: 2, machines: ["n3", "n5"] },
    });
    expect(log.some(({ name }) => name === "grafana-a-container")).toBe(true);
    const refused = (await judge(log)).filter((finding) => finding.refused);
    expect(refused.map(({ policy, message }) => `${policy}: ${message}`)).toEqual([]);
  });

  it("goes without it where the image cannot be had, and says so in one line", async () => {
    const told = vi.spyOn(console, "log").mockReturnValue(undefined);
    const { log, outputs } = await composed(false);
    const lines = told.mock.calls.map(([line]) => String(line));
    told.mockRestore();
    expect(lines.filter((line) => line.includes("grafana"))).toHaveLength(1);
    expect(log.filter(({ name }) => name.startsWith("grafana-"))).toEqual([]);
    expect(log.some(({ name }) => name === "monitor-b-container")).toBe(true);
    expect(outputs).toEqual({ grafana: undefined, grafanaPassword: undefined });
  });

  it("is refused before the first resource where it must have it", async () => {
    const settings = { ...monitored, grafana: { wanted: "always" } };
    await expect(composed(false, settings)).rejects.toThrow(
      "holdfast:grafana.wanted is always, and its image docker.io/grafana/grafana:12.4.4 cannot be had here; nothing was changed",
    );
  });
});
