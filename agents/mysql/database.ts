import type { MysqlAccount, MysqlAccounts, MysqlAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import {
  accountName,
  accountStatements,
  admitStatements,
  quote,
  type AccountState,
  type Statement,
} from "./accounts";
import { accepts, errorCode, Session, type Row } from "./client";
import type { Observation } from "./health";
import { memberRoles, memberStates } from "./state";

/** Milliseconds that the observation's statements may take. */
const observeMs = 900;
/** Milliseconds that joining, leaving and starting a group may take. */
const groupMs = 300_000;
const statementMs = 10_000;
/** Milliseconds that handing the primary over may take. */
const handOverMs = 10_000;
/** Milliseconds thereof for transactions to end by themselves. */
const patienceMs = 2000;

/** From so many transactions on, a blank member copies a member's data instead of executing them. */
const cloneFrom = 1000;
/** Never by number: a copy only where the transactions are not there any more. */
const cloneNever = "9223372036854775807";

const channel = "group_replication_recovery";

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function oneOf<T extends string>(values: readonly T[], value: unknown): T | undefined {
  return values.find((known) => known === value);
}

/** The member's own mysqld: everything that the agent asks of it. */
export class Database {
  private observer: Session | undefined;

  constructor(
    private readonly config: MysqlAgentView,
    private readonly accounts: MysqlAccounts,
  ) {}

  /** What mysqld says of itself and its group. Throws where it does not answer in time. */
  async observe(): Promise<Observation> {
    const askedAt = performance.now();
    try {
      this.observer ??= await this.openObserver();
      const session = this.observer;
      const [own] = await session.query(
        `SELECT @@server_uuid AS id, @@global.super_read_only AS superReadOnly,
           @@global.offline_mode AS offlineMode, @@global.gtid_executed AS executed,
           (SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status
             WHERE CHANNEL_NAME = 'group_replication_applier') AS received,
           (SELECT COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE
             FROM performance_schema.replication_group_member_stats
             WHERE MEMBER_ID = @@server_uuid) AS applyQueue`,
      );
      const members = await session.query(
        `SELECT MEMBER_ID AS id, MEMBER_HOST AS address, MEMBER_STATE AS state,
           MEMBER_ROLE AS role FROM performance_schema.replication_group_members`,
      );
      return observationOf(own ?? {}, members, askedAt);
    } catch (error) {
      this.observer?.destroy();
      this.observer = undefined;
      throw error;
    }
  }

  private async openObserver(): Promise<Session> {
    const session = await Session.local(observeMs);
    // A new primary lets nobody read until it has caught up; who watches must not wait for that.
    await session.query("SET SESSION group_replication_consistency = 'EVENTUAL'");
    return session;
  }

  /** Runs on a connection of its own, closed in the end. */
  private async apart<T>(limitMs: number, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await Session.local(limitMs);
    try {
      return await work(session);
    } finally {
      session.destroy();
    }
  }

  /** Sessions of clients: not of this machine, not of members, not streams of binary logs. */
  sessions(): Promise<number> {
    return this.apart(observeMs, async (session) => {
      const [row] = await session.query(
        `SELECT COUNT(*) AS sessions FROM performance_schema.processlist
           WHERE USER NOT IN ('agent', 'system user', 'event_scheduler', 'mysql.session',
             ${quote(this.accounts.replication.name)})
           AND COMMAND NOT LIKE 'Binlog Dump%'
           AND SUBSTRING_INDEX(HOST, ':', 1) NOT IN ('localhost', '127.0.0.1',
             ${quote(this.config.address)})`,
      );
      return Number(row?.["sessions"]);
    });
  }

  /** Lets clients in, or sends them away. */
  async offlineMode(on: boolean): Promise<void> {
    await this.apart(statementMs, (session) =>
      session.query(`SET GLOBAL offline_mode = ${on ? "ON" : "OFF"}`),
    );
  }

  async leave(): Promise<void> {
    await this.apart(groupMs, async (session) => {
      await session.query("SET GLOBAL offline_mode = ON");
      await session.query("STOP GROUP_REPLICATION");
    });
  }

  /**
   * Makes another member the primary. mysqld waits for the transactions that are under way, for
   * ever if need be; it accepts new ones meanwhile. (Its own time limit would refuse everything, even
   * reads, until then.) Those that take too long are ended here.
   */
  async handOver(id: string): Promise<void> {
    const impatience = setInterval(() => {
      this.endLongTransactions().catch((error: unknown) =>
        log("long transactions were not ended", { error: messageOf(error) }),
      );
    }, patienceMs);
    try {
      await this.apart(handOverMs, (session) =>
        session.query(`SELECT group_replication_set_as_primary(${quote(id)})`),
      );
    } finally {
      clearInterval(impatience);
    }
  }

  private endLongTransactions(): Promise<void> {
    return this.apart(statementMs, async (session) => {
      const rows = await session.query(
        `SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx
           WHERE trx_mysql_thread_id > 0 AND trx_started <= NOW() - INTERVAL 1 SECOND`,
      );
      for (const { id } of rows) {
        await session.query(`KILL CONNECTION ${Number(id)}`);
        log("a transaction took too long and was ended");
      }
    });
  }

  /** Starts the group with this member as its first. */
  async bootstrap(): Promise<void> {
    await this.apart(groupMs, async (session) => {
      await this.prepareToJoin(session, this.passwords().at(-1) ?? "");
      await session.query("SET GLOBAL group_replication_bootstrap_group = ON");
      try {
        await session.query("START GROUP_REPLICATION");
      } finally {
        await session.query("SET GLOBAL group_replication_bootstrap_group = OFF");
      }
    });
  }

  /** Joins the group of the members at these addresses. */
  async join(addresses: readonly string[], blank: boolean): Promise<void> {
    const password = await this.acceptedPassword(addresses);
    await this.apart(groupMs, async (session) => {
      await this.prepareToJoin(session, password);
      // A bootstrap that was cut off may have left it on.
      await session.query("SET GLOBAL group_replication_bootstrap_group = OFF");
      await session.query(
        `SET GLOBAL group_replication_clone_threshold = ${blank ? cloneFrom : cloneNever}`,
      );
      await session.query("START GROUP_REPLICATION");
    });
  }

  private passwords(): readonly string[] {
    const { name, passwords } = this.accounts.replication;
    if (passwords.length === 0) throw new Error(`account ${name}: no password is configured`);
    return passwords;
  }

  /**
   * The oldest password that the group accepts. In the middle of a rotation there are members that
   * know no other; the current one is presented once all do.
   */
  private async acceptedPassword(addresses: readonly string[]): Promise<string> {
    const { name } = this.accounts.replication;
    const problems: string[] = [];
    for (const address of addresses) {
      for (const password of [...this.passwords()].reverse()) {
        try {
          if (await accepts(address, this.config.port, name, password)) return password;
          problems.push(`${address} refuses a password of ${name}`);
        } catch (error) {
          problems.push(`${address}: ${messageOf(error)}`);
          break;
        }
      }
    }
    throw new Error(problems.join(", "));
  }

  /** Members connect to each other with the replication account, in both directions. */
  private async prepareToJoin(session: Session, password: string): Promise<void> {
    const { replication } = this.accounts;
    const statements = admitStatements(replication, await this.accountState(session, replication));
    if (statements.length > 0) {
      // Only here, not as a transaction of the group's history.
      await session.query("SET SESSION sql_log_bin = OFF");
      await session.query("SET GLOBAL super_read_only = OFF");
      try {
        await perform(session, statements);
      } finally {
        await session.query("SET GLOBAL super_read_only = ON");
        await session.query("SET SESSION sql_log_bin = ON");
      }
    }
    await this.present(session, password);
  }

  /** Sets the password that this member presents to others. */
  private async present(session: Session, password: string): Promise<void> {
    await unlogged(
      session,
      `CHANGE REPLICATION SOURCE TO SOURCE_USER = ${quote(this.accounts.replication.name)},
         SOURCE_PASSWORD = ${quote(password)} FOR CHANNEL '${channel}'`,
      "password for the other members",
    );
  }

  private async accountState(session: Session, account: MysqlAccount): Promise<AccountState> {
    const [user] = await session.query(
      `SELECT User_attributes->>'$.additional_password' IS NOT NULL AS hasSecondary
         FROM mysql.user WHERE User = ${quote(account.name)} AND Host = '%'`,
    );
    if (!user) return { exists: false, accepted: [], hasSecondary: false, grants: [] };
    const accepted: boolean[] = [];
    for (const password of account.passwords) {
      accepted.push(await accepts("127.0.0.1", this.config.port, account.name, password));
    }
    const grants = await session.query(`SHOW GRANTS FOR ${accountName(account)}`);
    return {
      exists: true,
      accepted,
      hasSecondary: Number(user["hasSecondary"]) === 1,
      grants: grants.flatMap((row) => Object.values(row).map(text)),
    };
  }

  /** On the primary: brings database and accounts to what is configured. */
  async applyAccounts(): Promise<void> {
    const { database, replication, accounts } = this.accounts;
    await this.apart(statementMs, async (session) => {
      const found = await session.query(
        `SELECT 1 FROM information_schema.schemata WHERE schema_name = ${quote(database)}`,
      );
      if (found.length === 0) {
        const create = `CREATE DATABASE IF NOT EXISTS \`${database}\` CHARACTER SET utf8mb4`;
        await perform(session, [{ sql: create, summary: `database ${database} created` }]);
      }
      for (const account of [replication, ...accounts]) {
        const state = await this.accountState(session, account);
        await perform(session, accountStatements(account, state));
      }
    });
  }

  /** Presents the current password to others, once all of them accept it. */
  async presentCurrentPassword(): Promise<void> {
    await this.apart(statementMs, (session) => this.present(session, this.passwords()[0] ?? ""));
  }

  /** Counters for the metrics, by the server's names. */
  status(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.apart(observeMs, async (session) => {
      const rows = await session.query(
        `SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_status
           WHERE VARIABLE_NAME IN (${names.map(quote).join(", ")})`,
      );
      return new Map(rows.map(({ name, value }) => [text(name), Number(value)]));
    });
  }
}

function observationOf(own: Row, rows: readonly Row[], askedAt: number): Observation {
  const id = text(own["id"]);
  const members = rows.map((row) => ({
    id: text(row["id"]),
    address: text(row["address"]),
    state: oneOf(memberStates, row["state"]) ?? "ERROR",
    role: oneOf(memberRoles, row["role"]) ?? null,
  }));
  const self = members.find((member) => member.id === id);
  return {
    askedAt,
    superReadOnly: Number(own["superReadOnly"]) !== 0,
    offlineMode: Number(own["offlineMode"]) !== 0,
    database: {
      id,
      state: self?.state ?? "OFFLINE",
      role: self?.role ?? null,
      members,
      executed: text(own["executed"]),
      received: text(own["received"]),
      applyQueue: Number(own["applyQueue"] ?? 0),
    },
  };
}

async function perform(session: Session, statements: readonly Statement[]): Promise<void> {
  for (const { sql, summary } of statements) {
    await unlogged(session, sql, summary);
    log(summary);
  }
}

/** A statement with a password: its errors are told without its text. */
async function unlogged(session: Session, sql: string, summary: string): Promise<void> {
  try {
    await session.query(sql);
  } catch (error) {
    throw new Error(`${summary}: failed with ${errorCode(error) ?? "no answer"}`);
  }
}
