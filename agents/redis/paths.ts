/* Files and folders inside the image. */
export const configFile = "/etc/holdfast/agent.json";
export const accountsFile = "/etc/holdfast/accounts.json";
export const caFile = "/etc/holdfast/tls/ca.pem";
export const redisConfig = "/etc/holdfast/redis.conf";
export const sentinelSettings = "/etc/holdfast/sentinel.conf";

/** What Redis is started with: settings, its master, and the password for it. In memory. */
export const redisStartConfig = "/run/redis/redis.conf";
/** Sentinel's own file, which it rewrites; in the volume. */
export const sentinelConfigFile = "/var/lib/redis/sentinel.conf";
/** Refreshed while all is well, read by the health check. */
export const healthFile = "/run/redis/health";
