import { Redis, type Result } from "ioredis";
import type { Logger } from "pino";
import type { RedisSettings } from "../settings";
import { withTimeLimit } from "../timeLimit";
import { rememberedMs, rememberedWrites } from "./entries";
import type { CacheStore } from "./store";

/** Longest wait for an answer of the cache. */
const commandMs = 200;
/** Longest time that a fill keeps others from doing the same. */
const leaseMs = 2000;
/** Tags outlive the values that refer to them. */
const tagMs = 600_000;

declare module "ioredis" {
  interface RedisCommander<Context> {
    propertyLease(
      ...keysAndArguments: [tag: string, lease: string, stamp: string, holder: string]
    ): Result<[tag: string, granted: number], Context>;
    propertyFill(
      ...keysAndArguments: [
        value: string,
        tag: string,
        lease: string,
        stamp: string,
        body: string,
        holder: string,
        ttlMs: number,
      ]
    ): Result<number, Context>;
    propertyRelease(...keysAndArguments: [lease: string, holder: string]): Result<number, Context>;
    propertyInvalidate(
      tags: number,
      ...keysAndArguments: (string | number)[]
    ): Result<number, Context>;
  }
}

const lease = `
local tag = redis.call('GET', KEYS[1])
if not tag then
  tag = ARGV[1] .. '\\n'
  redis.call('SET', KEYS[1], tag, 'PX', ${tagMs})
end
local granted = redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ${leaseMs})
return { tag, granted and 1 or 0 }
`;

const fill = `
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
local tag = redis.call('GET', KEYS[2])
if not tag or string.sub(tag, 1, #ARGV[1] + 1) ~= ARGV[1] .. '\\n' then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ${tagMs})
return 1
`;

const release = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

const invalidate = `
local stamp, now = ARGV[1], tonumber(ARGV[2])
for _, key in ipairs(KEYS) do
  local writes = {}
  local tag = redis.call('GET', key)
  if tag then
    local list = string.sub(tag, (string.find(tag, '\\n', 1, true) or #tag) + 1)
    for write, at in string.gmatch(list, '([^;|]+)|(%d+)') do
      if tonumber(at) > now - ${rememberedMs} then writes[#writes + 1] = write .. '|' .. at end
    end
  end
  for i = 3, #ARGV do writes[#writes + 1] = ARGV[i] .. '|' .. ARGV[2] end
  while #writes > ${rememberedWrites} do table.remove(writes, 1) end
  redis.call('SET', key, stamp .. '\\n' .. table.concat(writes, ';'), 'PX', ${tagMs})
end
return #KEYS
`;

/** The master that the Sentinels name, over TLS. Commands fail at once while it is not there. */
export function connectRedis(settings: RedisSettings, ttlMs: number, log: Logger) {
  const tls = { ca: settings.ca, minVersion: "TLSv1.2" } as const;
  const redis = new Redis({
    sentinels: settings.sentinels.map(({ host, port }) => ({ host, port })),
    name: settings.master,
    // The same account on both: what it may do differs.
    username: settings.user,
    password: settings.password,
    sentinelUsername: settings.user,
    sentinelPassword: settings.password,
    tls,
    sentinelTLS: tls,
    enableTLSForSentinelMode: true,
    updateSentinels: false,
    connectTimeout: 500,
    sentinelCommandTimeout: 500,
    // A server that is frozen keeps its connections: without any answer the Sentinels are asked.
    socketTimeout: 5 * commandMs,
    maxLoadingRetryTime: 500,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(100 * times, 500) * (0.5 + Math.random() / 2),
    sentinelRetryStrategy: (times) => Math.min(100 * times, 500) * (0.5 + Math.random() / 2),
    // A master that has become a replica, or is about to.
    reconnectOnError: (error) => /^(READONLY|LOADING|MASTERDOWN)/.test(error.message),
  });
  redis.defineCommand("propertyLease", { numberOfKeys: 2, lua: lease });
  redis.defineCommand("propertyFill", { numberOfKeys: 3, lua: fill });
  redis.defineCommand("propertyRelease", { numberOfKeys: 1, lua: release });
  redis.defineCommand("propertyInvalidate", { lua: invalidate });
  let reachable: boolean | undefined;
  redis.on("ready", () => {
    if (reachable !== true) log.info("the cache is there");
    reachable = true;
  });
  redis.on("error", (error) => {
    // Once for each outage, not for each attempt.
    if (reachable !== false) log.warn({ reason: error.message }, "the cache cannot be reached");
    reachable = false;
  });

  const limited = <T>(answer: Promise<T>, command: string) =>
    withTimeLimit(answer, commandMs, command);
  const store: CacheStore = {
    async lookup({ value, tag }) {
      const [found = null, tagText = null] = await limited(redis.mget(value, tag), "lookup");
      return [found, tagText];
    },
    async lease({ tag, lease: key }, stamp, holder) {
      const asked = redis.propertyLease(tag, key, stamp, holder);
      const [text, granted] = await limited(asked, "lease");
      return { tag: text, granted: granted === 1 };
    },
    async fill({ value, tag, lease: key }, stamp, body, holder) {
      const filled = redis.propertyFill(value, tag, key, stamp, body, holder, ttlMs);
      return (await limited(filled, "fill")) === 1;
    },
    async release({ lease: key }, holder) {
      await limited(redis.propertyRelease(key, holder), "release");
    },
    async invalidate(tags, stamp, writes) {
      const done = redis.propertyInvalidate(tags.length, ...tags, stamp, Date.now(), ...writes);
      await limited(done, "invalidate");
    },
  };
  return { store, close: () => redis.disconnect() };
}
