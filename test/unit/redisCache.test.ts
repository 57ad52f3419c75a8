import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { redisCacheFiles, redisSecretFiles } from "../../components/redisCache.files";
import { allowedElements } from "../../model/connections";
import { SettingsError } from "../../model/settings";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";

const plan = (redisCache: Record<string, unknown>) => readPlan(tiers, { redisCache });

function filesOf(redisCache: Record<string, unknown>, index: number) {
  const planned = plan(redisCache);
  return redisCacheFiles(planned, planned.tiers.redisCache.nodes[index]!);
}

function mistakes(redisCache: Record<string, unknown>): string[] {
  try {
    plan(redisCache);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems.map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);
  }
}

/** Directives of a configuration, without comments and empty lines. */
const directives = (text: string | undefined) =>
  (text ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"));

describe("settings of the cache", () => {
  it("has no node unless asked for", () => {
    expect(readPlan(tiers, {}).tiers.redisCache.nodes).toEqual([]);
    expect(mistakes({ count: 0 })).toEqual([]);
  });

  it("refuses numbers of nodes that cannot vote, and names the key", () => {
    expect(mistakes({ count: 1 })).toEqual([]);
    expect(mistakes({ count: 3 })).toEqual([]);
    expect(mistakes({ count: 2 })).toEqual([
      "holdfast:redisCache.count: 2 | an odd number, because the nodes vote",
    ]);
    expect(mistakes({ count: 10 })[0]).toContain("holdfast:redisCache.count: 10");
    expect(mistakes({ count: 3, masterName: "My Cache" })[0]).toContain(
      "lower-case letters, digits and hyphens",
    );
  });

  it("lets in members and the application, and the agent's port for members alone", () => {
    const allowed = allowedElements(plan({ count: 3 }), "vm-redis-b");
    const from = (port: number) =>
      allowed.filter((element) => element.port === port).map(({ source }) => source);
    const members = ["10.77.0.51/32", "10.77.0.53/32"];
    const application = ["10.77.0.31/32", "10.77.0.32/32"];
    expect(from(6379)).toEqual([...application, ...members]);
    expect(from(26379)).toEqual([...application, ...members]);
    expect(from(9201)).toEqual(members);
  });
});

describe("rendered files of a cache node", () => {
  it("configure Redis: memory alone, TLS alone, accounts alone", () => {
    const files = filesOf({ count: 3, maxMemoryMegabytes: 64 }, 1);
    expect(directives(files["/etc/holdfast/redis.conf"])).toEqual([
      "daemonize no",
      "bind 10.77.0.52",
      "port 0",
      "tls-port 6379",
      "tls-cert-file /etc/holdfast/tls/node.pem",
      "tls-key-file /etc/holdfast/tls/node.key",
      "tls-ca-cert-file /etc/holdfast/tls/ca.pem",
      "tls-protocols TLSv1.3",
      "tls-auth-clients no",
      "tls-replication yes",
      "protected-mode no",
      "aclfile /etc/holdfast/users.acl",
      "dir /var/lib/redis",
      'save ""',
      "appendonly no",
      "shutdown-timeout 1",
      "databases 1",
      "maxmemory 64mb",
      "maxmemory-policy allkeys-lfu",
      "lazyfree-lazy-eviction yes",
      "lazyfree-lazy-expire yes",
      "lazyfree-lazy-server-del yes",
      "min-replicas-to-write 0",
      "replica-serve-stale-data no",
      "replica-announce-ip 10.77.0.52",
      "replica-announce-port 6379",
      "repl-diskless-sync yes",
      "repl-diskless-sync-delay 0",
      "repl-diskless-load on-empty-db",
      "repl-backlog-size 16mb",
      "repl-timeout 10",
      "repl-ping-replica-period 2",
      "tcp-keepalive 30",
      "maxclients 4000",
    ]);
  });

  it("configure Sentinel, the same for every node but for its own address", () => {
    const settings = { count: 3, masterName: "store", sentinelPort: 5000, port: 7000 };
    expect(directives(filesOf(settings, 2)["/etc/holdfast/sentinel.conf"])).toEqual([
      "daemonize no",
      "bind 10.77.0.53",
      "port 0",
      "tls-port 5000",
      "tls-cert-file /etc/holdfast/tls/node.pem",
      "tls-key-file /etc/holdfast/tls/node.key",
      "tls-ca-cert-file /etc/holdfast/tls/ca.pem",
      "tls-protocols TLSv1.3",
      "tls-auth-clients no",
      "tls-replication yes",
      "protected-mode no",
      "aclfile /etc/holdfast/sentinel-users.acl",
      "dir /var/lib/redis",
      "sentinel announce-ip 10.77.0.53",
      "sentinel announce-port 5000",
      "sentinel resolve-hostnames no",
      "sentinel deny-scripts-reconfig yes",
      "sentinel monitor store 10.77.0.51 7000 2",
      "sentinel down-after-milliseconds store 1500",
      "sentinel failover-timeout store 3000",
      "sentinel parallel-syncs store 1",
    ]);
  });

  it("tell the agent all members, and how many make a majority", () => {
    expect(JSON.parse(filesOf({ count: 3 }, 0)["/etc/holdfast/agent.json"]!)).toEqual({
      node: "redis-a",
      address: "10.77.0.51",
      port: 6379,
      sentinelPort: 26379,
      agentPort: 9201,
      tls: "require",
      masterName: "cache",
      quorum: 2,
      members: [
        { node: "redis-a", address: "10.77.0.51" },
        { node: "redis-b", address: "10.77.0.52" },
        { node: "redis-c", address: "10.77.0.53" },
      ],
      drainSeconds: 10,
    });
    const quorum = (count: number) =>
      filesOf({ count }, 0)["/etc/holdfast/sentinel.conf"]?.match(/monitor .* (\d+)$/m)?.[1];
    expect([1, 3, 5].map(quorum)).toEqual(["1", "2", "3"]);
  });
});

describe("secret files of a cache node", () => {
  const files = redisSecretFiles({
    app: ["app-new", "app-old"],
    replica: ["replica-new", "replica-old"],
    sentinel: ["sentinel-new", "sentinel-old"],
    agent: ["agent-new", "agent-old"],
  });
  const hash = (password: string) => `#${createHash("sha256").update(password).digest("hex")}`;
  const both = (account: string) => `${hash(`${account}-new`)} ${hash(`${account}-old`)}`;

  it("give each account of Redis what its use needs, with the passwords of two generations", () => {
    expect(files["/etc/holdfast/users.acl"].trimEnd().split("\n")).toEqual([
      "user default off resetchannels -@all",
      `user app on ${both("app")} ~* resetchannels -@all +@read +@write +@transaction +@scripting -@blocking -@dangerous -function -script +script|load +script|exists +ping +info +select +client|id +client|getname +client|setname +client|setinfo`,
      `user replica on ${both("replica")} resetchannels -@all +psync +replconf +ping`,
      `user sentinel on ${both("sentinel")} resetchannels &__sentinel__:hello -@all +ping +info +role +multi +exec +slaveof +config|rewrite +client|setname +client|kill +script|kill +publish +subscribe`,
      `user agent on ${both("agent")} resetchannels -@all +ping +info +multi +exec +replicaof +config|set +client|kill +acl|setuser`,
    ]);
  });

  it("give each account of the Sentinels what its use needs", () => {
    expect(files["/etc/holdfast/sentinel-users.acl"].trimEnd().split("\n")).toEqual([
      "user default off resetchannels -@all",
      `user app on ${both("app")} resetchannels &+switch-master -@all +ping +client|setname +client|setinfo +subscribe +unsubscribe +sentinel|get-master-addr-by-name +sentinel|sentinels +sentinel|replicas +sentinel|slaves`,
      `user sentinel on ${both("sentinel")} resetchannels &__sentinel__:hello -@all +ping +publish +client|setname +sentinel|is-master-down-by-addr`,
      `user agent on ${both("agent")} resetchannels -@all +ping +sentinel|get-master-addr-by-name +sentinel|master +sentinel|sentinels +sentinel|failover +sentinel|set +sentinel|config +client|kill +acl|setuser`,
    ]);
  });

  it("have an account for the exporter where there is one, and nothing else more", () => {
    const more = redisSecretFiles({
      ...{ app: ["app-new", "app-old"], replica: ["replica-new", "replica-old"] },
      ...{ sentinel: ["sentinel-new", "sentinel-old"], agent: ["agent-new", "agent-old"] },
      exporter: ["exporter-new", "exporter-old"],
    });
    expect(more["/etc/holdfast/users.acl"]).toBe(
      `${files["/etc/holdfast/users.acl"]}user exporter on ${both("exporter")} resetchannels -@all +ping +info +client|setname +slowlog|len +slowlog|get +latency|latest\n`,
    );
    expect(more["/etc/holdfast/sentinel-users.acl"]).toBe(
      `${files["/etc/holdfast/sentinel-users.acl"]}user exporter on ${both("exporter")} resetchannels -@all +ping +info +client|setname +sentinel|masters +sentinel|sentinels +sentinel|slaves +sentinel|replicas +sentinel|ckquorum\n`,
    );
    expect(more["/etc/holdfast/accounts.json"]).toBe(files["/etc/holdfast/accounts.json"]);
  });

  it("tell the agent what members present to each other, never the application's password", () => {
    expect(JSON.parse(files["/etc/holdfast/accounts.json"])).toEqual({
      replica: { passwords: ["replica-new", "replica-old"] },
      sentinel: { passwords: ["sentinel-new", "sentinel-old"] },
      agent: { passwords: ["agent-new", "agent-old"] },
    });
    expect(JSON.stringify(files)).not.toContain("app-new");
  });
});
