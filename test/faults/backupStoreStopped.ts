import { execa } from "execa";
import { sql, type Member } from "../support/members";
import type { Fault } from "./fault";

const database = "not_backed_up_by_a_test";

/** The store of backups is away, and something was written that is not in it. */
export function backupStoreStopped(primary: Member): Fault {
  return {
    name: "the store of backups stopped",
    inject: async (stack) => {
      await execa("docker", ["stop", stack.container("backup-store")]);
      await sql(stack, primary, `CREATE DATABASE ${database}; DROP DATABASE ${database};`);
    },
    heal: async (stack) => {
      await execa("docker", ["start", stack.container("backup-store")]);
    },
  };
}
