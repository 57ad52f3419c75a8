import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { projectRoot } from "../../model/rendering";
import type { Fault } from "./fault";

/** The next version of the property application brings a migration with it. */
export function migrationPlanted(file: string, sql: string): Fault {
  const planted = path.join(projectRoot, "apps", "property", "migrations", file);
  return {
    name: `migration ${file} planted`,
    inject: async () => {
      writeFileSync(planted, `${sql}\n`);
    },
    heal: async () => {
      rmSync(planted, { force: true });
    },
  };
}
