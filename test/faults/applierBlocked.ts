import { eventually } from "../support/measure";
import { client, sql, type Member } from "../support/members";
import { mustRun, type Fault } from "./fault";

const database = "lagging_by_a_test";
/** Found again by its number; longer than any test. */
const waiting = "SELECT SLEEP(613)";

/**
 * A replica cannot apply what the primary writes: a session there holds a lock on the table, as a
 * forgotten backup or report does. `transactions` wait from then on.
 */
export function applierBlocked(replica: Member, primary: Member, transactions: number): Fault {
  return {
    name: `${transactions} transactions held up on ${replica.node}`,
    inject: async (stack) => {
      const one = async (what: string, text: string) =>
        eventually(what, 15, async () => (await sql(stack, replica, text)).trim() === "1");
      await sql(
        stack,
        primary,
        `CREATE DATABASE IF NOT EXISTS ${database}; CREATE TABLE IF NOT EXISTS ${database}.t (id INT PRIMARY KEY, n INT NOT NULL);`,
      );
      await one(
        `the table is on ${replica.node}`,
        `SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '${database}'`,
      );
      await mustRun(
        stack,
        replica.machine,
        `docker exec -d ${replica.node} ${client} --execute="LOCK TABLES ${database}.t READ; ${waiting}"`,
      );
      await one(
        `the table is locked on ${replica.node}`,
        `SELECT COUNT(*) FROM performance_schema.processlist WHERE info = '${waiting}'`,
      );
      const writes = Array.from(
        { length: transactions },
        (_, n) => `REPLACE INTO ${database}.t VALUES (1, ${n});`,
      );
      await sql(stack, primary, writes.join("\n"));
    },
    heal: async (stack) => {
      const ids = await sql(
        stack,
        replica,
        `SELECT id FROM performance_schema.processlist WHERE info = '${waiting}'`,
      );
      const kills = ids.split("\n").filter(Boolean);
      await sql(stack, replica, kills.map((id) => `KILL ${id};`).join(" "));
      await sql(stack, primary, `DROP DATABASE IF EXISTS ${database}`);
    },
  };
}
