import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { missingMigrations, schemaTable, type MigrationFile } from "./commands/migrations";
import type { Database, Statements } from "./database/database";
import { DatabaseUnavailable } from "./database/errors";
import type { ReadinessGate } from "./readiness";

const waitMs = 1000;

/** Version of the database's schema; 0 where nothing has been migrated yet. */
export async function schemaVersion(run: Statements): Promise<number> {
  try {
    const { rows } = await run(`SELECT MAX(version) AS version FROM ${schemaTable}`);
    return Number(rows[0]?.version ?? 0);
  } catch (error) {
    if ((error as { errno?: unknown }).errno === 1146) return 0;
    throw error;
  }
}

/**
 * Lets the application into service once the database has every migration that it knows. Says so
 * in the log, again and again, while one is missing. Never rejects; ends when the gate has opened
 * or the application drains.
 */
export async function awaitSchema(
  database: Database,
  known: readonly MigrationFile[],
  readiness: ReadinessGate,
  log: Logger,
  pauseMs = waitMs,
): Promise<void> {
  const needed = known.at(-1)?.version ?? 0;
  let told = "";
  const tell = (what: string, detail: Readonly<Record<string, unknown>>) => {
    if (told !== what) log.warn(detail, what);
    told = what;
  };
  while (!readiness.draining) {
    try {
      const { value: version } = await database.read(schemaVersion);
      const missing = missingMigrations(known, version);
      if (missing.length === 0) {
        log.info({ schemaVersion: version, needed }, "the database's schema is new enough");
        readiness.ready();
        return;
      }
      const detail = `the database's schema is at version ${version}, this application needs ${needed}; not applied: ${missing.join(", ")}`;
      readiness.outdated(detail);
      log.error({ schemaVersion: version, needed, missing }, `not ready: ${detail}`);
    } catch (error) {
      const reason = error instanceof DatabaseUnavailable ? String(error.cause) : String(error);
      tell("not ready: the database's schema cannot be read yet", { reason });
    }
    await delay(pauseMs);
  }
}
