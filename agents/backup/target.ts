import type { BackupAgentView } from "../../model/views";
import { messageOf } from "../io";
import type { Session } from "../mysql/client";
import { openSession } from "./source";

/** Milliseconds that a statement over whole tables may take. */
const longMs = 6 * 3_600_000;

/** Milliseconds after which a session without work says something. */
const heldMs = 60_000;

/** Tables in which migration tools keep what they have done: rows there are no data. */
const bookkeeping = new Set([
  "schemaversion",
  "schema_version",
  "schema_migrations",
  "schema_migrations_lock",
  "migrations",
  "knex_migrations",
  "knex_migrations_lock",
  "flyway_schema_history",
  "databasechangelog",
  "databasechangeloglock",
  "alembic_version",
  "django_migrations",
  "_prisma_migrations",
  "sequelizemeta",
  "goose_db_version",
]);

const quoted = (name: string): string => `\`${name.replaceAll("`", "``")}\``;

/** The database that a backup is put into. */
export class Target {
  private constructor(
    private readonly session: Session,
    private readonly database: string,
  ) {}

  static async open(
    { primary, database }: BackupAgentView,
    account: string,
    password: string,
  ): Promise<Target> {
    const session = await openSession(primary, account, password);
    const [row] = await session.query("SELECT GET_LOCK('holdfast_restore', 0) AS mine");
    if (Number(row?.["mine"]) === 1) return new Target(session, database);
    session.destroy();
    throw new Error("another restore into this stack is under way");
  }

  /** Throws where tables have rows, unless they are to be replaced. */
  async requireEmpty(force: boolean): Promise<void> {
    if (force) return;
    const full: string[] = [];
    for (const table of await this.tables()) {
      if (bookkeeping.has(table.toLowerCase())) continue;
      const rows = await this.session.query(`SELECT 1 FROM ${this.path(table)} LIMIT 1`);
      if (rows.length > 0) full.push(table);
    }
    if (full.length === 0) return;
    throw new Error(
      `the database ${this.database} of this stack is not empty (${full.slice(0, 5).join(", ")}); nothing was changed; FORCE=1 replaces all that it holds`,
    );
  }

  /** Removes the database; the backup brings its own. */
  async clear(): Promise<void> {
    await this.session.query(`DROP DATABASE IF EXISTS ${quoted(this.database)}`, longMs);
  }

  /** Does work of other sessions, and keeps this one from being cut as idle: its lock went with it. */
  async heldWhile(work: () => Promise<void>): Promise<void> {
    let lost: unknown;
    const timer = setInterval(() => {
      this.session.query("SELECT 1").catch((error: unknown) => (lost ??= error));
    }, heldMs);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
    if (lost !== undefined) throw new Error(`the restore's lock was lost: ${messageOf(lost)}`);
  }

  /** Tells the number of rows and the checksum of every table. */
  async report(say: (line: string) => void): Promise<void> {
    for (const table of await this.tables()) {
      const path = this.path(table);
      const [counted] = await this.session.query(`SELECT COUNT(*) AS rows_ FROM ${path}`, longMs);
      const [sum] = await this.session.query(`CHECKSUM TABLE ${path}`, longMs);
      say(
        `table ${table}: ${String(counted?.["rows_"])} rows, checksum ${String(sum?.["Checksum"])}`,
      );
    }
  }

  close(): void {
    this.session.destroy();
  }

  private async tables(): Promise<string[]> {
    const rows = await this.session.query(
      `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${this.database}' AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1`,
    );
    return rows.map(({ name }) => String(name));
  }

  private path(table: string): string {
    return `${quoted(this.database)}.${quoted(table)}`;
  }
}
