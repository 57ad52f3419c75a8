/* What Redis and Sentinel answer, as data. Pure. */
import type { Address, Word } from "./topology";

/** A replica as its master sees it. */
export interface ReplicaState {
  readonly address: Address;
  /** True once it has the data and follows. */
  readonly online: boolean;
  readonly offset: number;
}

/** What a Redis says of itself. */
export interface RedisState {
  readonly role: "master" | "replica";
  readonly loading: boolean;
  readonly keys: number;
  readonly offset: number;
  /** Whom it follows, where it is a replica. */
  readonly master: Address | undefined;
  /** True where it is a replica that has its master's data and hears from it. */
  readonly linkUp: boolean;
  /** Its replicas, where it is a master. */
  readonly replicas: readonly ReplicaState[];
}

/** The `key:value` lines of INFO. */
export function parseInfo(answer: string): ReadonlyMap<string, string> {
  return new Map(
    answer.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      return line.startsWith("#") || colon < 1
        ? []
        : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/** The parts of a value such as `ip=10.0.0.1,port=6379,state=online`. */
function parts(value: string): ReadonlyMap<string, string> {
  return new Map(
    value.split(",").map((part): [string, string] => {
      const [key = "", content = ""] = part.split("=", 2);
      return [key, content];
    }),
  );
}

/** State from INFO with the sections replication, persistence and keyspace. */
export function redisState(answer: string): RedisState {
  const info = parseInfo(answer);
  const role = info.get("role");
  if (role !== "master" && role !== "slave") {
    throw new Error(`INFO: found role ${role ?? "nothing"}, wanted master or slave`);
  }
  const entries = [...info];
  const replicas = entries.flatMap(([key, value]): ReplicaState[] => {
    if (!/^slave\d+$/.test(key)) return [];
    const replica = parts(value);
    return [
      {
        address: { host: replica.get("ip") ?? "", port: Number(replica.get("port")) },
        online: replica.get("state") === "online",
        offset: Number(replica.get("offset")),
      },
    ];
  });
  return {
    role: role === "master" ? "master" : "replica",
    loading: info.get("loading") === "1",
    keys: entries
      .filter(([key]) => /^db\d+$/.test(key))
      .reduce((sum, [, value]) => sum + Number(parts(value).get("keys")), 0),
    offset: Number(
      info.get(role === "master" ? "master_repl_offset" : "slave_repl_offset") ?? Number.NaN,
    ),
    master:
      role === "slave"
        ? { host: info.get("master_host") ?? "", port: Number(info.get("master_port")) }
        : undefined,
    linkUp: info.get("master_link_status") === "up" && info.get("master_sync_in_progress") !== "1",
    replicas,
  };
}

/** An array of names and values, one after the other, as Sentinel answers. */
export function pairs(answer: unknown): ReadonlyMap<string, string> {
  if (!Array.isArray(answer)) throw new Error("Sentinel: wanted names and values");
  const flat = answer.map(String);
  return new Map(
    flat.flatMap((name, index): [string, string][] =>
      index % 2 === 0 ? [[name, flat[index + 1] ?? ""]] : [],
    ),
  );
}

/**
 * A Sentinel's word from its answers to `get-master-addr-by-name` and `master`. The address comes
 * from the first: in a failover the second still has the old one beside the new epoch.
 */
export function wordOf(node: string, address: unknown, master: unknown): Word {
  if (!Array.isArray(address) || address.length !== 2) {
    throw new Error("Sentinel knows no master of that name");
  }
  return {
    node,
    master: { host: String(address[0]), port: Number(address[1]) },
    configEpoch: Number(pairs(master).get("config-epoch") ?? 0),
  };
}

/** Addresses of Sentinels that a Sentinel takes for down, from its answer to `sentinels`. */
export function downSentinels(answer: unknown): string[] {
  if (!Array.isArray(answer)) throw new Error("Sentinel: wanted a list of Sentinels");
  return answer.map(pairs).flatMap((sentinel) => {
    const flags = sentinel.get("flags")?.split(",") ?? [];
    return flags.includes("s_down") ? [sentinel.get("ip") ?? ""] : [];
  });
}
