/* Files and folders inside the image. */
export const configFile = "/etc/holdfast/agent.json";
/** Secret: passwords of the accounts and of the store. */
export const secretsFile = "/etc/holdfast/secrets.json";
export const authorityFile = "/etc/holdfast/tls/ca.pem";
/** Authority of the store's certificate, where the system does not know it. */
export const storeAuthorityFile = "/etc/holdfast/store-ca.pem";

/** In memory: health, and the passwords as MySQL's programs read them. */
export const runFolder = "/run/holdfast";
export const healthFile = `${runFolder}/health`;

/** The node's volume. */
export const volume = "/var/lib/holdfast";
/** Binary logs that were received; in the store they have the same path. */
export const binlogFolder = `${volume}/binlogs`;
/** What restic keeps of the store's index. */
export const cacheFolder = `${volume}/cache`;
/** Large temporary files: folders in memory are small. */
export const temporaryFolder = `${volume}/tmp`;
/** Binary logs that a restore fetches. */
export const restoreFolder = `${volume}/restore`;
