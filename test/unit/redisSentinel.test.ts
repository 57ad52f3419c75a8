import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chosenPassword, passwordAt } from "../../agents/redis/passwords";
import {
  parseMemory,
  quoted,
  sentinelConfig,
  sentinelId,
  startingMemory,
  type SentinelParts,
} from "../../agents/redis/sentinelConfig";
import { at, index, keyOf, members, word } from "./support/redis";

describe("passwords between members", () => {
  it("are the current one, unless a peer knows only the one before", () => {
    const peer = (node: string, accepted: number | undefined) => ({ node, accepted });
    expect(chosenPassword(2, [peer("b", 0), peer("c", 0)])).toBe(0);
    expect(chosenPassword(2, [peer("b", 0), peer("c", 1)])).toBe(1);
    expect(chosenPassword(2, [peer("b", undefined), peer("c", undefined)])).toBe(0);
    expect(chosenPassword(1, [peer("b", 1)])).toBe(0);
    expect(passwordAt({ passwords: ["new", "old"] }, 1)).toBe("old");
    expect(passwordAt({ passwords: ["new"] }, 1)).toBe("new");
  });

  it("always suit every peer while members are rolled from one generation to the next", () => {
    const generation = (n: number) => ({ passwords: n === 1 ? ["g1"] : [`g${n}`, `g${n - 1}`] });
    fc.assert(
      fc.property(
        members,
        fc.nat({ max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        (count, rolled, from) => {
          const nodes = Array.from({ length: count }, (_, n) =>
            generation(n < rolled ? from + 1 : from),
          );
          for (const node of nodes) {
            const peers = nodes.map((other, n) => {
              const accepted = node.passwords.findIndex((one) => other.passwords.includes(one));
              return { node: keyOf(n), accepted: accepted < 0 ? undefined : accepted };
            });
            const chosen = passwordAt(node, chosenPassword(node.passwords.length, peers));
            for (const other of nodes) expect(other.passwords).toContain(chosen);
            if (rolled >= count) expect(chosen).toBe(`g${from + 1}`);
          }
        },
      ),
    );
  });
});

describe("Sentinel's configuration", () => {
  const rendered = [
    "port 0",
    "sentinel resolve-hostnames no",
    "sentinel monitor cache 10.0.0.1 6379 2",
    "sentinel down-after-milliseconds cache 1500",
    "",
  ].join("\n");
  const parts: SentinelParts = {
    rendered,
    masterName: "cache",
    node: "redis-b",
    members: [0, 1, 2].map((n) => ({ node: keyOf(n), address: at(n).host })),
    redisPort: 6379,
    sentinelPort: 26379,
    memory: { master: at(2), configEpoch: 4, leaderEpoch: 5, currentEpoch: 6 },
    user: "sentinel",
    password: "secret",
  };

  it("has the settings as rendered, the remembered master, and all members", () => {
    expect(sentinelConfig(parts).split("\n")).toEqual([
      "port 0",
      "sentinel resolve-hostnames no",
      "sentinel monitor cache 10.0.0.3 6379 2",
      "sentinel down-after-milliseconds cache 1500",
      "",
      "# From here on by the agent and by Sentinel.",
      `sentinel myid ${sentinelId("cache", "redis-b")}`,
      "sentinel auth-user cache sentinel",
      'sentinel auth-pass cache "secret"',
      "sentinel sentinel-user sentinel",
      'sentinel sentinel-pass "secret"',
      "sentinel config-epoch cache 4",
      "sentinel leader-epoch cache 5",
      "sentinel current-epoch 6",
      "sentinel known-replica cache 10.0.0.1 6379",
      "sentinel known-replica cache 10.0.0.2 6379",
      `sentinel known-sentinel cache 10.0.0.1 26379 ${sentinelId("cache", "redis-a")}`,
      `sentinel known-sentinel cache 10.0.0.3 26379 ${sentinelId("cache", "redis-c")}`,
      "",
    ]);
  });

  it("refuses settings without the line that names the master", () => {
    expect(() => sentinelConfig({ ...parts, rendered: "port 0\n" })).toThrow(
      'found no line "sentinel monitor cache',
    );
  });

  it("remembers the master and the epochs, and nothing else of its own file", () => {
    const file = [
      "port 26379",
      "sentinel down-after-milliseconds cache 99",
      "sentinel monitor other 10.9.9.9 6379 1",
      "sentinel monitor cache 10.0.0.2 6379 7",
      "sentinel config-epoch cache 12",
      "sentinel leader-epoch cache 13",
      'sentinel auth-pass cache "old"',
      "sentinel known-sentinel cache 10.0.0.9 26379 0123456789012345678901234567890123456789",
      "sentinel current-epoch 14",
    ].join("\n");
    const memory = parseMemory(file, "cache");
    expect(memory).toEqual({ master: at(1), configEpoch: 12, leaderEpoch: 13, currentEpoch: 14 });
    expect(parseMemory("", "cache")).toBeUndefined();
    expect(parseMemory("sentinel monitor cache 10.0.0.2", "cache")).toBeUndefined();
    const text = sentinelConfig({ ...parts, memory: memory! });
    expect(text).toContain("sentinel monitor cache 10.0.0.2 6379 2\n");
    expect(text).toContain("sentinel down-after-milliseconds cache 1500\n");
    for (const gone of ["10.0.0.9", "old", "99", "port 26379"]) expect(text).not.toContain(gone);
  });

  it("starts with the newest of its memory and the peers' words, without forgetting its vote", () => {
    const own = { master: at(1), configEpoch: 3, leaderEpoch: 9, currentEpoch: 9 };
    expect(startingMemory("redis-b", undefined, [], at(0))).toEqual({
      master: at(0),
      configEpoch: 0,
      leaderEpoch: 0,
      currentEpoch: 0,
    });
    expect(startingMemory("redis-b", own, [], at(0))).toEqual(own);
    expect(startingMemory("redis-b", own, [word(0, 2, 4)], at(0))).toEqual({
      ...own,
      master: at(2),
      configEpoch: 4,
    });
    expect(startingMemory("redis-b", own, [word(0, 2, 2)], at(0))).toEqual(own);
    expect(startingMemory("redis-b", own, [word(0, 2, 12)], at(0)).currentEpoch).toBe(12);
  });

  it("gives what it was given when it is read again", () => {
    const epoch = fc.nat({ max: 1e6 });
    fc.assert(
      fc.property(
        index,
        epoch,
        epoch,
        epoch,
        fc.string(),
        (named, configEpoch, leaderEpoch, currentEpoch, password) => {
          const memory = { master: at(named), configEpoch, leaderEpoch, currentEpoch };
          const text = sentinelConfig({ ...parts, memory, password });
          expect(parseMemory(text, "cache")).toEqual(memory);
          expect(sentinelConfig({ ...parts, memory: parseMemory(text, "cache")!, password })).toBe(
            text,
          );
          expect(text.match(/^sentinel monitor /gm)).toHaveLength(1);
          expect(text.match(/^sentinel known-sentinel /gm)).toHaveLength(2);
        },
      ),
    );
  });

  it("quotes passwords so that one argument stays one", () => {
    expect(quoted('a "b" \\c')).toBe('"a \\"b\\" \\\\c"');
    expect(quoted("ä\n")).toBe('"\\xc3\\xa4\\x0a"');
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        expect(quoted(value)).toMatch(/^"(?:[ !#-[\]-~]|\\["\\]|\\x[0-9a-f]{2})*"$/);
      }),
    );
  });

  it("knows each member by an id of its own", () => {
    const ids = ["redis-a", "redis-b"].map((node) => sentinelId("cache", node));
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{40}$/);
  });
});
