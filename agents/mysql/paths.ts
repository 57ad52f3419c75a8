/* Files and folders inside the image. */
export const configFile = "/etc/holdfast/agent.json";
/** Secret: passwords of the accounts. */
export const accountsFile = "/etc/holdfast/accounts.json";
export const authorityFile = "/etc/holdfast/tls/ca.pem";
export const mysqldConfig = "/etc/mysql/holdfast.cnf";

export const socket = "/run/mysqld/mysqld.sock";
/** Refreshed while mysqld answers, read by the health check. */
export const healthFile = "/run/mysqld/health";
/** Statements of the very first start. */
export const firstStatements = "/run/mysqld/first.sql";

/** The node's volume. */
export const volume = "/var/lib/mysql";
export const dataFolder = `${volume}/data`;
/** The data folder while it is made: a start that was cut short leaves nothing half done. */
export const newDataFolder = `${volume}/data.new`;
/** Temporary tables of large statements: on disk, as folders in memory are small. */
export const temporaryFolder = `${volume}/tmp`;
/** What the member has to remember when it starts again. */
export const recordFile = `${volume}/member.json`;
