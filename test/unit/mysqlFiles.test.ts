import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { mysqldLogEntry } from "../../agents/mysql/mysqldLog";
import { MemberMemory } from "../../agents/mysql/record";
import { parseReport } from "../../agents/mysql/state";
import { renderTemplate } from "../../model/rendering";
import type { MysqldView } from "../../model/views";
import { isOfAnotherRecipe, mmdebstrapArguments } from "../../toolchain/baseImages";
import { debianImages } from "../../toolchain/versions";

const view: MysqldView = {
  node: "mysql-b",
  address: "10.77.0.42",
  port: 3306,
  serverId: 42,
  groupName: "6f2f2c0e-7d5c-4f0a-9d57-3a2e9d6c9b11",
  seeds: ["10.77.0.41:3306", "10.77.0.42:3306"],
  maxConnections: 200,
  bufferPoolMegabytes: 128,
  binaryLogSeconds: 259_200,
};

/** Settings of the rendered file, name -> values in order. */
function settings(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of renderTemplate("mysql/mysqld.cnf.hbs", view).split("\n")) {
    const match = /^([a-z0-9_]+) = (.+)$/.exec(line);
    if (match) found.set(match[1]!, [...(found.get(match[1]!) ?? []), match[2]!]);
    else expect(line).toMatch(/^(#.*|\[mysqld\])?$/);
  }
  return found;
}

describe("mysqld's configuration", () => {
  it("names the member and its group", () => {
    expect(Object.fromEntries(settings())).toMatchObject({
      report_host: ["10.77.0.42"],
      bind_address: ["10.77.0.42,127.0.0.1"],
      server_id: ["42"],
      group_replication_local_address: ["10.77.0.42:3306"],
      group_replication_group_seeds: ["10.77.0.41:3306,10.77.0.42:3306"],
      group_replication_group_name: [view.groupName],
      plugin_load_add: ["group_replication.so", "mysql_clone.so"],
    });
  });

  it.each([
    ["sync_binlog", "1"],
    ["innodb_flush_log_at_trx_commit", "1"],
    ["super_read_only", "ON"],
    ["offline_mode", "ON"],
    ["require_secure_transport", "ON"],
    ["group_replication_start_on_boot", "OFF"],
    ["group_replication_bootstrap_group", "OFF"],
    ["group_replication_autorejoin_tries", "0"],
    ["group_replication_member_expel_timeout", "0"],
    ["group_replication_ssl_mode", "VERIFY_IDENTITY"],
    ["group_replication_recovery_ssl_verify_server_cert", "ON"],
  ])("keeps the promise of %s = %s", (name, value) => {
    expect(settings().get(name)).toEqual([value]);
  });
});

describe("mysqld's log", () => {
  const now = new Date("2026-11-21T07:00:00Z");

  it("becomes the node's, with a line's level and code", () => {
    const line =
      "2026-11-21T06:59:59.123456Z 12 [Warning] [MY-010068] [Server] CA certificate is self signed.";
    expect(mysqldLogEntry(line, now)).toEqual({
      time: "2026-11-21T06:59:59.123456Z",
      program: "mysqld",
      message: "CA certificate is self signed.",
      level: "warning",
      code: "MY-010068",
      subsystem: "Server",
    });
  });

  it("keeps lines of another form, and drops empty ones", () => {
    expect(mysqldLogEntry("mysqld got signal 11 ;", now)).toEqual({
      time: "2026-11-21T07:00:00.000Z",
      program: "mysqld",
      message: "mysqld got signal 11 ;",
    });
    expect(mysqldLogEntry("  ", now)).toBeUndefined();
  });
});

describe("what a member remembers", () => {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "holdfast-member-")), "member.json");

  it("outlives a start", () => {
    const memory = new MemberMemory(file);
    expect([memory.record, memory.alone]).toEqual(["blank", false]);
    memory.set({ record: "formed" });
    memory.set({ alone: true });
    const again = new MemberMemory(file);
    expect([again.record, again.alone]).toEqual(["formed", true]);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ record: "formed", alone: true });
  });

  it("does not pass for that of a blank member where it is damaged", () => {
    for (const content of ["", "{}", '{"record":"form']) {
      writeFileSync(file, content);
      expect(() => new MemberMemory(file)).toThrow();
    }
  });
});

describe("a peer's report", () => {
  it("is refused where something is missing", () => {
    expect(() => parseReport({ node: "mysql-a" })).toThrow();
    expect(() => parseReport(null)).toThrow();
  });
});

describe("the base image of Debian packages", () => {
  /** What the official images leave out too. */
  const slim: unknown[] = [
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    expect.stringMatching(/^--customize-hook=printf .*pkgcache.* > "\$1\/etc\/apt\/apt.conf.d\//),
    '--customize-hook=rm -f "$1"/var/cache/apt/*.bin',
  ];

  it("is made anew where its recipe has changed, and what was pulled or loaded stays", () => {
    expect(isOfAnotherRecipe("Imported from -|old\n", "new")).toBe(true);
    expect(isOfAnotherRecipe("Imported from -|", "new")).toBe(true);
    expect(isOfAnotherRecipe("Imported from -|new\n", "new")).toBe(false);
    expect(isOfAnotherRecipe("|", "new")).toBe(false);
    expect(isOfAnotherRecipe("buildkit.dockerfile.v0|", "new")).toBe(false);
    expect(isOfAnotherRecipe(undefined, "new")).toBe(false);
  });

  it("takes MySQL from sid, also from a mirror whose index is old", () => {
    const image = debianImages.find(({ name }) => name.startsWith("mysql:"))!;
    expect(mmdebstrapArguments(image, "/tmp/x.tar", "http://mirror/debian")).toEqual([
      "--quiet",
      "--variant=minbase",
      "--include=ca-certificates,mysql-server-core,mysql-client-core",
      ...slim,
      '--aptopt=Acquire::Check-Valid-Until "false"',
      "sid",
      "/tmp/x.tar",
      "http://mirror/debian",
    ]);
  });

  it("of a release is checked as usual", () => {
    const image = debianImages.find(({ name }) => name.startsWith("debian:"))!;
    expect(mmdebstrapArguments(image, "/tmp/x.tar", undefined)).toEqual([
      "--quiet",
      "--variant=minbase",
      "--include=ca-certificates",
      ...slim,
      "trixie",
      "/tmp/x.tar",
    ]);
  });

  it("stands for the one that the role's image begins with", () => {
    const dockerfile = readFileSync(
      path.join(import.meta.dirname, "../../images/mysql/Dockerfile"),
      "utf8",
    );
    const base = /^FROM (\S+)$/m.exec(dockerfile)?.[1];
    expect(debianImages.map(({ name }) => name)).toContain(base);
    const image = debianImages.find(({ name }) => name === base)!;
    expect(image.check?.prints).toBe(`Ver ${base!.split(":")[1]}.`);
  });
});
