import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import Postgrator from "postgrator";
import { connectMysql, type SqlConnection } from "../database/connection";
import type { MysqlSettings } from "../settings";
import { knownMigrations, schemaTable } from "./migrations";

/** One statement may rebuild a large table. */
const statementMs = 3_600_000;
/** Longest wait for migrations that another deploy runs. */
const lockSeconds = 60;

/** What went wrong, with the migration's file where there is one. */
export class MigrationFailed extends Error {
  override name = "MigrationFailed";
}

/**
 * Brings the schema up to date, on the primary, once: a lock keeps others out meanwhile. Returns
 * the files that were applied. A schema that is newer than the files is left as it is. Throws
 * MigrationFailed, also where an applied file has been changed since.
 */
export async function migrate(
  mysql: MysqlSettings,
  folder: string,
  waitMs: number,
  log: Logger,
): Promise<string[]> {
  const connection = await connectToPrimary(mysql, waitMs, log);
  try {
    await lock(connection, mysql.database);
    return await applyAll(connection, mysql.database, folder, log);
  } finally {
    connection.destroy();
  }
}

async function connectToPrimary(
  mysql: MysqlSettings,
  waitMs: number,
  log: Logger,
): Promise<SqlConnection> {
  const until = Date.now() + waitMs;
  let last = "";
  for (;;) {
    let reason: string;
    try {
      const connection = await connectMysql(mysql.primary, mysql, {
        connectMs: 3000,
        session: ["wait_timeout = 28800", "lock_wait_timeout = 60"],
        multipleStatements: true,
      });
      const { rows } = await connection.query("SELECT @@GLOBAL.super_read_only AS closed", 3000);
      if (Number(rows[0]?.closed) === 0) return connection;
      connection.destroy();
      reason = "it is read-only";
    } catch (error) {
      reason = messageOf(error);
    }
    if (Date.now() >= until) {
      throw new MigrationFailed(`no primary within ${waitMs / 1000} s: ${reason}`);
    }
    if (reason !== last) log.info({ reason }, "waiting for a primary");
    last = reason;
    await delay(500);
  }
}

async function lock(connection: SqlConnection, database: string): Promise<void> {
  const { rows } = await connection.execute(
    "SELECT GET_LOCK(?, ?) AS locked",
    [`${database}.migrations`, lockSeconds],
    (lockSeconds + 5) * 1000,
  );
  if (Number(rows[0]?.locked) !== 1) {
    throw new MigrationFailed(`other migrations have been running for ${lockSeconds} s`);
  }
}

async function applyAll(
  connection: SqlConnection,
  database: string,
  folder: string,
  log: Logger,
): Promise<string[]> {
  const postgrator = new Postgrator({
    driver: "mysql",
    database,
    schemaTable,
    migrationPattern: join(folder, "*.do.*.sql"),
    execQuery: async (sql) => ({ rows: [...(await connection.query(sql, statementMs)).rows] }),
  });
  let current: string | undefined;
  const begin = ({ filename }: { filename: string }) => {
    current = basename(filename);
  };
  postgrator.on("validation-started", begin);
  postgrator.on("validation-finished", () => {
    current = undefined;
  });
  postgrator.on("migration-started", (migration) => {
    begin(migration);
    log.info({ migration: current }, `applying ${current}`);
  });
  postgrator.on("migration-finished", () => {
    log.info({ migration: current }, `applied ${current}`);
    current = undefined;
  });
  try {
    const version = await postgrator.getDatabaseVersion();
    const newest = knownMigrations(folder).at(-1)?.version ?? 0;
    if (version > newest) {
      log.info({ version, newest }, "the schema is newer than this version of the application");
      await postgrator.validateMigrations(newest);
      return [];
    }
    const applied = await postgrator.migrate();
    return applied.map(({ filename }) => basename(filename));
  } catch (error) {
    const message = messageOf(error);
    throw new MigrationFailed(current ? `migration ${current} failed: ${message}` : message, {
      cause: error,
    });
  }
}

function messageOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: string };
  const text = message === undefined || message === "" ? String(error) : message;
  return typeof code === "string" && !text.includes(code) ? `${text} (${code})` : text;
}
