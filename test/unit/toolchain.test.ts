import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  exportLines,
  missingVariables,
  pulumiHome,
  type PulumiUse,
} from "../../toolchain/environment";
import { alone } from "../../toolchain/lock";
import { pathsFor, pluginFolder, toolFolder, type Variables } from "../../toolchain/paths";
import { checksumOf, chooseSource, compareVersions, isSuitable } from "../../toolchain/sources";
import { download } from "../../toolchain/vendor";
import {
  debianImages,
  goVersion,
  npmImages,
  pebble,
  plugins,
  tools,
  type Tool,
} from "../../toolchain/versions";

const root = path.join(import.meta.dirname, "../..");

describe("paths", () => {
  it("follow the XDG folders", () => {
    const paths = pathsFor({ XDG_CACHE_HOME: "/c", XDG_STATE_HOME: "/s" }, "/home/u");
    expect(paths).toEqual({
      cache: "/c/holdfast",
      state: "/s/holdfast",
      bin: "/c/holdfast/bin",
      backend: "/s/holdfast/backend",
      passphraseFile: "/s/holdfast/passphrase",
      engineLog: "/s/holdfast/dockerd.log",
    });
    expect(toolFolder(paths, "k6", "1.8.1", "abc")).toBe("/c/holdfast/tools/k6/1.8.1-abc");
    expect(pluginFolder("/p", "tls", "5.6.1")).toBe("/p/plugins/resource-tls-v5.6.1");
  });

  it("fall back to the home folder, also for a relative value", () => {
    const paths = pathsFor({ XDG_CACHE_HOME: "relative" }, "/home/u");
    expect(paths.cache).toBe("/home/u/.cache/holdfast");
    expect(paths.state).toBe("/home/u/.local/state/holdfast");
  });

  it("keep state out of the cache", () => {
    const paths = pathsFor({}, "/home/u");
    for (const kept of [paths.backend, paths.passphraseFile]) {
      expect(kept.startsWith(paths.cache)).toBe(false);
    }
  });
});

describe("environment", () => {
  const paths = pathsFor({}, "/home/u");
  const use = (variables: Variables, loggedIn = false): PulumiUse => ({
    variables,
    home: "/home/u",
    loggedIn,
  });

  it("sets everything for a user without a Pulumi of their own", () => {
    expect(missingVariables(use({ PATH: "/usr/bin:/bin" }), paths)).toEqual({
      PATH: "/home/u/.cache/holdfast/bin:/usr/bin:/bin",
      PULUMI_HOME: "/home/u/.cache/holdfast/pulumi",
      PULUMI_BACKEND_URL: "file:///home/u/.local/state/holdfast/backend",
      PULUMI_CONFIG_PASSPHRASE_FILE: "/home/u/.local/state/holdfast/passphrase",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    });
  });

  it("sets nothing again where its own exports are in force", () => {
    const first = missingVariables(use({ PATH: "/usr/bin" }), paths);
    expect(missingVariables(use(first), paths)).toEqual({});
    expect(pulumiHome(use(first), paths)).toBe("/home/u/.cache/holdfast/pulumi");
  });

  it.each([
    ["a backend by variable", use({ PATH: "/x", PULUMI_BACKEND_URL: "s3://b" })],
    ["an access token", use({ PATH: "/x", PULUMI_ACCESS_TOKEN: "t" })],
    ["a login", use({ PATH: "/x" }, true)],
  ])("leaves %s alone", (_, own) => {
    expect(missingVariables(own, paths)).toEqual({
      PATH: "/home/u/.cache/holdfast/bin:/x",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    });
    expect(pulumiHome(own, paths)).toBe("/home/u/.pulumi");
  });

  it("respects a Pulumi home and passphrase that the user set", () => {
    const own = use({
      PATH: "/x",
      PULUMI_HOME: "/p",
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_SKIP_UPDATE_CHECK: "false",
    });
    expect(missingVariables(own, paths)).toEqual({
      PATH: "/home/u/.cache/holdfast/bin:/x",
      PULUMI_BACKEND_URL: "file:///home/u/.local/state/holdfast/backend",
    });
    expect(pulumiHome(own, paths)).toBe("/p");
  });

  it("prints lines that a shell reads back", () => {
    expect(exportLines({ A: "x y", B: "it's" })).toBe("export A='x y'\nexport B='it'\\''s'\n");
  });
});

describe("source of a tool", () => {
  const suitable = { atLeast: "1.0.0", below: "2.0.0" };
  const nothing = { suitable, downloaded: false, built: false };

  it.each([
    [{ ...nothing, onPath: "1.4.0", downloaded: true, built: true }, { use: "PATH" }],
    [{ ...nothing, onPath: "0.9.9", downloaded: true, built: true }, { use: "download" }],
    [{ ...nothing, onPath: "2.0.0", built: true }, { use: "built" }],
    [nothing, { ask: "vendorReachable" }],
    [{ ...nothing, vendorReachable: true }, { get: "download" }],
    [{ ...nothing, vendorReachable: false }, { get: "built" }],
  ])("%j -> %j", (situation, decision) => {
    expect(chooseSource(situation)).toEqual(decision);
  });

  it("compares versions by their numbers", () => {
    expect(compareVersions("v3.9.0", "3.250.0")).toBe(-1);
    expect(compareVersions("go1.26.8", "1.21")).toBe(1);
    expect(compareVersions("1.2", "1.2.0")).toBe(0);
    expect(isSuitable("1.0.0", suitable)).toBe(true);
    expect(isSuitable("2.0.0", suitable)).toBe(false);
  });

  it("finds a file's checksum in a list", () => {
    const [a, b] = ["a".repeat(64), "B".repeat(64)];
    const list = `${a}  k6-v1-linux-amd64.tar.gz\n${b} *k6-v1-linux-arm64.tar.gz\r\n`;
    expect(checksumOf(list, "k6-v1-linux-amd64.tar.gz")).toBe(a);
    expect(checksumOf(list, "k6-v1-linux-arm64.tar.gz")).toBe("b".repeat(64));
    expect(checksumOf(list, "k6-v1")).toBeUndefined();
  });
});

describe("pinned versions", () => {
  const goMod = (module: string): string =>
    readFileSync(path.join(root, "toolchain/go", module, "go.mod"), "utf8");

  it("are those of the Go modules", () => {
    const [pulumi, k6] = tools;
    const required = (module: string, name: string): string | undefined =>
      new RegExp(`^\\s+(?:require )?${name} v(\\S+)`, "m").exec(goMod(module))?.[1];
    expect(required("pulumi", "github.com/pulumi/pulumi/pkg/v3")).toBe(pulumi!.version);
    expect(required("pulumi", "github.com/pulumi/pulumi/sdk/v3")).toBe(pulumi!.version);
    expect(required("language-nodejs", "github.com/pulumi/pulumi/sdk/v3")).toBe(pulumi!.version);
    expect(required("k6", "go.k6.io/k6")).toBe(k6!.version);
    for (const module of [...tools.flatMap((tool) => tool.files), ...plugins].map(
      ({ module }) => module,
    )) {
      const [, wanted] = /^go (\S+)$/m.exec(goMod(module)) ?? [];
      expect(compareVersions(wanted!, goVersion), `${module} wants go ${wanted}`).toBeLessThan(1);
    }
  });

  it("of test tools are those of their Go modules", () => {
    const { module, packages, version } = pebble;
    expect(goMod(module)).toContain(`github.com/letsencrypt/pebble/v2 v${version} `);
    for (const name of packages) expect(goMod(module)).toContain(`\t${name}\n`);
  });

  it("of images are those that the Dockerfiles begin with", () => {
    const known = [...debianImages, ...npmImages].map(({ name }) => name);
    const files = ["images", "apps"].flatMap((folder) =>
      readdirSync(path.join(root, folder), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => path.join(folder, name, "Dockerfile")),
    );
    const used = files.flatMap((file) => {
      const text = readFileSync(path.join(root, file), "utf8");
      return [...text.matchAll(/^FROM ([^$\s]+)/gm)].map(([, name = ""]) => name);
    });
    expect([...new Set(used)].sort()).toEqual([...known].sort());
  });

  it("of plugins are those that the npm packages ask for", () => {
    for (const { name, version } of plugins) {
      const file = path.join(root, "node_modules/@pulumi", name, "package.json");
      const manifest = JSON.parse(readFileSync(file, "utf8")) as {
        version: string;
        pulumi?: { version?: string };
      };
      expect({ name, version: manifest.pulumi?.version ?? manifest.version }).toEqual({
        name,
        version,
      });
    }
  });
});

describe("lock", () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "holdfast-lock-")), "install.lock");

  it("lets one run at a time", async () => {
    const order: string[] = [];
    const job = (name: string) => async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push(`${name} ends`);
    };
    await Promise.all([alone(file, job("a")), alone(file, job("b"))]);
    expect(order).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });

  it("takes over from a process that is gone", async () => {
    const { pid } = spawnSync("true");
    writeFileSync(file, `${pid}\n`);
    expect(await alone(file, async () => "ran")).toBe("ran");
  });

  it.each([
    ["that has another program by now", () => spawn("sleep", ["20"])],
    ["that is this one's by now", () => process],
  ])("takes over from a number %s", async (_, holder) => {
    const { pid } = holder();
    writeFileSync(file, `${pid}\n`);
    expect(await alone(file, async () => "ran")).toBe("ran");
    if (pid !== undefined && pid !== process.pid) process.kill(pid);
  });

  it("takes over what was never signed, once it is old", async () => {
    writeFileSync(file, "");
    const old = Date.now() / 1000 - 60;
    utimesSync(file, old, old);
    expect(await alone(file, async () => "ran")).toBe("ran");
  });

  it("is free again after a failure", async () => {
    const failing = alone(file, async () => {
      throw new Error("broken");
    });
    await expect(failing).rejects.toThrow("broken");
    expect(await alone(file, async () => "ran")).toBe("ran");
  });
});

describe("download", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-download-"));
  const files = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const body = files.get(request.url ?? "");
    response.writeHead(body ? 200 : 404).end(request.method === "HEAD" ? undefined : body);
  });
  let tool: Tool;

  beforeAll(async () => {
    mkdirSync(path.join(folder, "thing-1.0"));
    writeFileSync(path.join(folder, "thing-1.0", "thing"), "#!/bin/sh\n", { mode: 0o755 });
    spawnSync("tar", ["-czf", "thing.tar.gz", "thing-1.0"], { cwd: folder });
    const packed = readFileSync(path.join(folder, "thing.tar.gz"));
    const sum = createHash("sha256").update(packed).digest("hex");
    files.set("/thing.tar.gz", packed);
    files.set("/other.tar.gz", packed);
    files.set("/sums.txt", Buffer.from(`${sum}  thing.tar.gz\n${"0".repeat(64)}  other.tar.gz\n`));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    tool = {
      name: "thing",
      version: "1.0",
      suitable: { atLeast: "1.0", below: "2.0" },
      files: [],
      vendor: {
        archive: `http://127.0.0.1:${port}/thing.tar.gz`,
        checksums: `http://127.0.0.1:${port}/sums.txt`,
      },
    };
  });

  afterAll(() => server.close());

  it("unpacks an archive whose checksum is right", async () => {
    const target = path.join(folder, "tools", "good");
    await download(tool, target);
    expect(readdirSync(path.join(target, "bin"))).toEqual(["thing"]);
  });

  it("refuses an archive whose checksum is wrong, and leaves nothing", async () => {
    const other = tool.vendor.archive.replace("thing.tar", "other.tar");
    const wrong = { ...tool, vendor: { ...tool.vendor, archive: other } };
    const target = path.join(folder, "tools", "bad");
    await expect(download(wrong, target)).rejects.toThrow("its list says 0000");
    expect(readdirSync(path.dirname(target))).toEqual(["good"]);
  });

  it("refuses an archive that is not listed", async () => {
    const other = tool.vendor.archive.replace("thing.tar", "unknown.tar");
    const wrong = { ...tool, vendor: { ...tool.vendor, archive: other } };
    await expect(download(wrong, path.join(folder, "tools", "no"))).rejects.toThrow(
      "does not list unknown.tar.gz",
    );
  });
});
