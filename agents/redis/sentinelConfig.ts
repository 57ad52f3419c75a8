/*
 * Sentinel's configuration: settings as rendered, and of what it remembered only what it alone can
 * know, the master and the epochs. Pure.
 */
import { createHash } from "node:crypto";
import { newestWord, same, type Address, type Word } from "./topology";

/** What outlives a Sentinel. */
export interface SentinelMemory {
  readonly master: Address;
  readonly configEpoch: number;
  /** Epoch of its last vote: it must not vote twice in one. */
  readonly leaderEpoch: number;
  readonly currentEpoch: number;
}

export interface SentinelMember {
  readonly node: string;
  readonly address: string;
}

export interface SentinelParts {
  /** `/etc/holdfast/sentinel.conf`. */
  readonly rendered: string;
  readonly masterName: string;
  readonly node: string;
  readonly members: readonly SentinelMember[];
  readonly redisPort: number;
  readonly sentinelPort: number;
  readonly memory: SentinelMemory;
  /** Account with which Sentinels enter Redis and each other. */
  readonly user: string;
  readonly password: string;
}

/**
 * Id of a member's Sentinel. It follows from the node's key, so that a Sentinel whose machine was
 * replaced is the same one to its peers, and all know all from the first moment.
 */
export function sentinelId(masterName: string, node: string): string {
  return createHash("sha1").update(`holdfast ${masterName} ${node}`).digest("hex");
}

/** What a Sentinel's own file says; undefined where it names no master. */
export function parseMemory(file: string, masterName: string): SentinelMemory | undefined {
  const lines = file.split("\n").map((line) => line.trim().split(/\s+/));
  const find = (option: string) =>
    lines.find(
      ([word, name, about]) => word === "sentinel" && name === option && about === masterName,
    );
  const number = (value: string | undefined) => (/^\d+$/.test(value ?? "") ? Number(value) : 0);
  const monitor = find("monitor");
  const host = monitor?.[3];
  const port = number(monitor?.[4]);
  if (!host || port === 0) return undefined;
  const current = lines.find(([word, name]) => word === "sentinel" && name === "current-epoch");
  return {
    master: { host, port },
    configEpoch: number(find("config-epoch")?.[3]),
    leaderEpoch: number(find("leader-epoch")?.[3]),
    currentEpoch: number(current?.[2]),
  };
}

/**
 * What a starting Sentinel should know: the newest of its own memory and the peers' words, and
 * where there is neither, that the first member is the master.
 */
export function startingMemory(
  node: string,
  own: SentinelMemory | undefined,
  words: readonly Word[],
  firstMaster: Address,
): SentinelMemory {
  const newest = newestWord(own ? [...words, { node, ...own }] : words);
  const configEpoch = newest?.configEpoch ?? 0;
  return {
    master: newest?.master ?? firstMaster,
    configEpoch,
    leaderEpoch: own?.leaderEpoch ?? 0,
    currentEpoch: Math.max(own?.currentEpoch ?? 0, configEpoch),
  };
}

/** An argument in a configuration file of Redis. */
export function quoted(value: string): string {
  const escaped = value
    .replace(/[\\"]/g, "\\$&")
    .replace(/[^ -~]/g, (character) =>
      [...Buffer.from(character)]
        .map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
        .join(""),
    );
  return `"${escaped}"`;
}

/** The whole of `sentinel.conf` as Sentinel is started with. */
export function sentinelConfig(parts: SentinelParts): string {
  const { masterName: name, memory, members, redisPort, sentinelPort } = parts;
  const { host, port } = memory.master;
  const monitor = new RegExp(`^(sentinel monitor ${name}) \\S+ \\S+ (\\d+)$`, "m");
  if (!monitor.test(parts.rendered)) {
    throw new Error(
      `sentinel.conf: found no line "sentinel monitor ${name} <host> <port> <quorum>"`,
    );
  }
  const others = members.filter(({ node }) => node !== parts.node);
  const replicas = members.filter(
    ({ address }) => !same({ host: address, port: redisPort }, memory.master),
  );
  return [
    parts.rendered.replace(monitor, `$1 ${host} ${port} $2`).trimEnd(),
    "",
    "# From here on by the agent and by Sentinel.",
    `sentinel myid ${sentinelId(name, parts.node)}`,
    `sentinel auth-user ${name} ${parts.user}`,
    `sentinel auth-pass ${name} ${quoted(parts.password)}`,
    `sentinel sentinel-user ${parts.user}`,
    `sentinel sentinel-pass ${quoted(parts.password)}`,
    `sentinel config-epoch ${name} ${memory.configEpoch}`,
    `sentinel leader-epoch ${name} ${memory.leaderEpoch}`,
    `sentinel current-epoch ${memory.currentEpoch}`,
    ...replicas.map(({ address }) => `sentinel known-replica ${name} ${address} ${redisPort}`),
    ...others.map(
      ({ node, address }) =>
        `sentinel known-sentinel ${name} ${address} ${sentinelPort} ${sentinelId(name, node)}`,
    ),
    "",
  ].join("\n");
}
