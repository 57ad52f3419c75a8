import { renderTemplate } from "../model/rendering";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { MysqlAccount, MysqlAccounts, MysqldView, MysqlAgentView } from "../model/views";
import type { tiers } from "../tiers";

/** What every account may do, by name: each the least that its use needs. */
export function accountGrants(database: string) {
  return {
    /** Members copy from and follow each other. */
    replication: [
      "REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.*",
    ],
    /** The application at work: rows, never tables. */
    app: [`SELECT, INSERT, UPDATE, DELETE ON \`${database}\`.*`],
    /** The application's migrations: the tables of its own database. */
    migration: [`ALL PRIVILEGES ON \`${database}\`.*`],
    /** Full backups and the stream of binary logs. */
    backup: [
      "SELECT, RELOAD, PROCESS, LOCK TABLES, SHOW VIEW, EVENT, TRIGGER, REPLICATION SLAVE, REPLICATION CLIENT ON *.*",
    ],
    /** Loading a backup into an empty stack. */
    restore: [
      `ALL PRIVILEGES ON \`${database}\`.*`,
      "REPLICATION_APPLIER, SESSION_VARIABLES_ADMIN, SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER ON *.*",
    ],
    /** Counters for the metrics: the server's own are everybody's to read, the group's are not. */
    exporter: ["SELECT ON `performance_schema`.`replication_group_member_stats`"],
  } as const;
}

export type AccountName = keyof ReturnType<typeof accountGrants>;

/** The accounts that the stack has a use for. */
export function accountsOf({ tiers: planned, settings }: StackPlan<typeof tiers>): AccountName[] {
  const { exporter, ...always } = accountGrants(settings.mysqlCluster.database);
  const used = planned.mysqlExporter.nodes.length > 0 ? { ...always, exporter } : always;
  return Object.keys(used) as AccountName[];
}

/**
 * Content of `accounts.json`. `passwords` gives those that an account accepts, by its name; an
 * account without is left out.
 */
export function mysqlAccounts(
  database: string,
  generation: number,
  passwords: Readonly<
    Partial<Record<AccountName, readonly string[]>> & Record<"replication", readonly string[]>
  >,
): MysqlAccounts {
  const { replication, ...others } = accountGrants(database);
  return {
    generation,
    database,
    replication: { name: "replication", passwords: passwords.replication, grants: replication },
    accounts: Object.entries(others).flatMap(([name, grants]): MysqlAccount[] => {
      const accepted = passwords[name as AccountName];
      return accepted ? [{ name, passwords: accepted, grants }] : [];
    }),
  };
}

/** Number that no other member has: the last half of its machine's address. */
function serverId(address: string): number {
  const [, , third = 0, fourth = 0] = address.split(".").map(Number);
  return third * 256 + fourth;
}

/** Paths of the rendered files. */
export const mysqlFileNames = ["/etc/mysql/holdfast.cnf", "/etc/holdfast/agent.json"] as const;

/** Rendered files of a MySQL node without secrets, path -> content. `groupName` is a UUID. */
export function mysqlClusterFiles(
  plan: StackPlan<typeof tiers>,
  node: PlannedNode,
  groupName: string,
): Readonly<Record<string, string>> {
  const settings = plan.settings.mysqlCluster;
  const { address } = node.machine;
  const members = plan.tiers.mysqlCluster.nodes.map(({ key, machine }) => ({
    node: key,
    address: machine.address,
  }));
  const mysqld: MysqldView = {
    node: node.key,
    address,
    port: settings.port,
    serverId: serverId(address),
    groupName,
    seeds: members.map((member) => `${member.address}:${settings.port}`),
    maxConnections: settings.maxConnections,
    bufferPoolMegabytes: settings.bufferPoolMegabytes,
    binaryLogSeconds: settings.binaryLogHours * 3600,
  };
  const agent: MysqlAgentView = {
    node: node.key,
    address,
    port: settings.port,
    agentPort: settings.agentPort,
    tls: plan.settings.pki.metricsTls,
    groupName,
    members,
    maxApplyQueue: settings.maxApplyQueue,
    drainSeconds: settings.drainSeconds,
  };
  return {
    "/etc/mysql/holdfast.cnf": renderTemplate("mysql/mysqld.cnf.hbs", mysqld),
    "/etc/holdfast/agent.json": `${JSON.stringify(agent, null, 2)}\n`,
  };
}
