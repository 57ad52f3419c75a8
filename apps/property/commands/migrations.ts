import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Table in which postgrator keeps what was applied. */
export const schemaTable = "schemaversion";

/** A migration file: `<version>.do.<name>.sql`. */
export interface MigrationFile {
  readonly version: number;
  readonly file: string;
}

/** Folder of the migrations: beside the program in the image, beside its sources in a checkout. */
export function migrationsFolder(program: string): string {
  return join(program, "migrations");
}

/** The migrations that this version of the application knows, in order. */
export function knownMigrations(folder: string): MigrationFile[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const [, version] = /^(\d+)\.do\..+\.sql$/.exec(file) ?? [];
      return version === undefined ? [] : [{ version: Number(version), file }];
    })
    .sort((a, b) => a.version - b.version);
}

/** Files that a schema of this version lacks. Whatever is newer than this application knows is fine. */
export function missingMigrations(
  known: readonly MigrationFile[],
  schemaVersion: number,
): string[] {
  return known.filter(({ version }) => version > schemaVersion).map(({ file }) => file);
}
