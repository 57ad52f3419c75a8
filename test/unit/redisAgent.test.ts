import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Metrics, type Measured } from "../../agents/redis/metrics";
import { logLine } from "../../agents/redis/logLines";
import { downSentinels, redisState, wordOf, type RedisState } from "../../agents/redis/replies";
import { decideStart, startPatienceMs } from "../../agents/redis/start";
import { restartDelay } from "../../agents/restart";
import { agreedMaster, naming, newestWord, same } from "../../agents/redis/topology";
import {
  at,
  index,
  master,
  members,
  ofMembers,
  replica,
  state,
  word,
  words,
} from "./support/redis";

describe("what Sentinels say", () => {
  it("agrees on the master that more than half of all members name, answering or not", () => {
    expect(agreedMaster([word(0, 1), word(1, 1)], 3)).toEqual(at(1));
    expect(agreedMaster([word(0, 1)], 3)).toBeUndefined();
    expect(agreedMaster([word(0, 1), word(1, 2)], 3)).toBeUndefined();
    expect(agreedMaster([word(0, 0)], 1)).toEqual(at(0));
    fc.assert(
      fc.property(words, members, (all, count) => {
        const list = ofMembers(all, count);
        const agreed = agreedMaster(list, count);
        const most = Math.max(0, ...list.map((one) => naming(list, one.master)));
        expect(agreed !== undefined).toBe(most > count / 2);
        if (agreed) expect(naming(list, agreed)).toBe(most);
      }),
    );
  });

  it("takes the newest word, whatever the order in which they come", () => {
    expect(newestWord([])).toBeUndefined();
    expect(newestWord([word(0, 0, 1), word(1, 0, 1), word(2, 2, 2)])?.master).toEqual(at(2));
    expect(newestWord([word(0, 0, 0), word(1, 1, 0), word(2, 1, 0)])?.master).toEqual(at(1));
    fc.assert(
      fc.property(
        words.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        ([list, shuffled]) => {
          const newest = newestWord(list);
          expect(newestWord(shuffled)).toEqual(newest);
          if (newest) {
            expect(newest.configEpoch).toBe(
              Math.max(...list.map(({ configEpoch }) => configEpoch)),
            );
          }
        },
      ),
    );
  });
});

describe("addresses", () => {
  it("are the same only where both are known", () => {
    expect(same(undefined, undefined)).toBe(false);
    expect(same(at(1), { ...at(1) })).toBe(true);
    expect(same(at(1), { ...at(1), port: 1 })).toBe(false);
  });
});

describe("answers of Redis", () => {
  it("are read into a state", () => {
    const answer = [
      "# Replication",
      "role:master",
      "connected_slaves:2",
      "slave0:ip=10.0.0.2,port=6379,state=online,offset=1400,lag=0",
      "slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0",
      "master_repl_offset:1428",
      "# Persistence",
      "loading:0",
      "# Keyspace",
      "db0:keys=12,expires=3,avg_ttl=100,subexpiry=0",
      "",
    ].join("\r\n");
    expect(redisState(answer)).toEqual({
      role: "master",
      loading: false,
      keys: 12,
      offset: 1428,
      master: undefined,
      linkUp: false,
      replicas: [
        { address: at(1), online: true, offset: 1400 },
        { address: at(2), online: false, offset: 0 },
      ],
    });
    const following = (link: string, sync: number) =>
      redisState(
        `role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:${link}\r\nmaster_sync_in_progress:${sync}\r\nslave_repl_offset:7\r\nloading:1\r\n`,
      );
    expect(following("up", 0)).toMatchObject({
      role: "replica",
      master: at(0),
      linkUp: true,
      offset: 7,
      loading: true,
      keys: 0,
    });
    expect(following("down", 0).linkUp).toBe(false);
    expect(following("up", 1).linkUp).toBe(false);
    expect(() => redisState("role:sentinel\r\n")).toThrow("wanted master or slave");
  });

  it("give a Sentinel's word: the address as clients get it, with the epoch", () => {
    const details = ["name", "cache", "ip", "10.0.0.1", "port", "6379", "config-epoch", "4"];
    expect(wordOf("redis-b", ["10.0.0.2", "6379"], details)).toEqual(word(1, 1, 4));
    expect(() => wordOf("redis-b", null, details)).toThrow("knows no master");
  });

  it("tell which Sentinels are down", () => {
    const sentinel = (ip: string, flags: string) => ["name", "x", "ip", ip, "flags", flags];
    expect(
      downSentinels([
        sentinel("10.0.0.1", "sentinel"),
        sentinel("10.0.0.2", "s_down,sentinel,disconnected"),
      ]),
    ).toEqual(["10.0.0.2"]);
  });
});

describe("start of Redis", () => {
  const start = (self: number, named: number, peers: readonly RedisState[], waitedMs = 0) =>
    decideStart({ self: at(self), named: at(named), peers, waitedMs });

  it("follows the master that is named", () => {
    expect(start(1, 0, [master()])).toEqual({ kind: "replica", of: at(0) });
  });

  it("is a master where it is named and nobody holds data: first start, or after a full outage", () => {
    expect(start(0, 0, []).kind).toBe("master");
    expect(start(0, 0, [replica(0, { keys: 0 })]).kind).toBe("master");
  });

  it("lets a replica with data take its place first, for a while", () => {
    const peers = [replica(0, { linkUp: false }), replica(0, { keys: 0 })];
    expect(start(0, 0, peers).kind).toBe("ask for failover");
    expect(start(0, 0, [master(), ...peers]).kind).toBe("wait");
    expect(start(0, 0, peers, startPatienceMs).kind).toBe("master");
  });

  it("never makes an empty master while a peer holds data and patience lasts", () => {
    fc.assert(
      fc.property(
        index,
        index,
        fc.array(state, { maxLength: 4 }),
        fc.nat({ max: 2 * startPatienceMs }),
        (self, named, peers, waitedMs) => {
          const decision = start(self, named, peers, waitedMs);
          const harmless = peers.every(({ keys, role }) => keys === 0 && role === "replica");
          expect(decision.kind === "replica").toBe(self !== named);
          expect(decision.kind === "master").toBe(
            self === named && (harmless || waitedMs >= startPatienceMs),
          );
        },
      ),
    );
  });

  it("is tried again ever more slowly, and given up where nothing ever answered", () => {
    expect([0, 1, 2, 3].map((quick) => restartDelay({ quick, everUp: true }))).toEqual([
      0, 200, 400, 800,
    ]);
    expect(restartDelay({ quick: 50, everUp: true })).toBe(5000);
    expect(restartDelay({ quick: 4, everUp: false })).toBe(1600);
    expect(restartDelay({ quick: 5, everUp: false })).toBeUndefined();
  });
});

describe("log lines of Redis", () => {
  const now = new Date(0);
  const time = "1970-01-01T00:00:00.000Z";

  it("become JSON with their level, whatever their form", () => {
    expect(logLine("redis", "7:M 21 Nov 2026 07:44:47.123 * Ready", now)).toEqual({
      time,
      program: "redis",
      message: "Ready",
      level: "notice",
    });
    expect(logLine("sentinel", "9:X 1 Nov 2026 07:44:47.123 # +sdown master", now)).toEqual({
      time,
      program: "sentinel",
      message: "+sdown master",
      level: "warning",
    });
    expect(logLine("redis", "*** FATAL CONFIG FILE ERROR ***\r", now)).toEqual({
      time,
      program: "redis",
      message: "*** FATAL CONFIG FILE ERROR ***",
    });
    expect(logLine("redis", "  ", now)).toBeUndefined();
  });
});

describe("metrics of the agent", () => {
  const seen: Measured = {
    ready: true,
    draining: false,
    fenced: false,
    master: 1,
    linkUp: false,
    sentinelUp: true,
    sentinels: 3,
    passwordIndex: 1,
    info: "keyspace_hits:7\r\nused_memory:100\r\nconnected_slaves:2\r\n",
  };
  const samples = async (metrics: Metrics, measured: Measured) =>
    (await metrics.text(measured)).split("\n").filter((line) => line && !line.startsWith("#"));

  it("show the node's state and what Redis counts, however often they are asked for", async () => {
    const metrics = new Metrics();
    metrics.restarts.inc({ program: "redis" });
    await metrics.text(seen);
    const lines = await samples(metrics, seen);
    for (const line of [
      "holdfast_redis_up 1",
      "holdfast_redis_ready 1",
      "holdfast_redis_fenced 0",
      "holdfast_redis_master 1",
      "holdfast_redis_sentinels 3",
      "holdfast_redis_previous_password 1",
      "holdfast_redis_hits_total 7",
      "holdfast_redis_memory_bytes 100",
      "holdfast_redis_replicas 2",
      'holdfast_redis_restarts_total{program="redis"} 1',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it("drop what a silent Redis does not say", async () => {
    const metrics = new Metrics();
    await metrics.text(seen);
    const lines = await samples(metrics, { ...seen, master: undefined, info: "" });
    expect(lines).toContain("holdfast_redis_up 0");
    expect(lines).toContain("holdfast_redis_master 0");
    expect(lines.filter((line) => /memory_bytes|hits_total/.test(line))).toEqual([]);
  });
});
