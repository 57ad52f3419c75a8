/* Which transactions of a server's log belong to the application. Pure. */
import type { Transaction } from "./binlog";

/** Where a transaction belongs: `ours` is put back, the rest is left out, and told by that name. */
export type Belonging =
  | {
      readonly ours: true;
      /** Database in which its statement was given, where that is not the application's. */
      readonly givenIn?: string;
    }
  | { readonly ours: false; readonly kind: string };

const comments = /^(\s|\/\*[^]*?\*\/)+/;

/** Accounts are the stack's own: those of another, and their passwords, must not come with the data. */
const account =
  /^(((CREATE|ALTER|DROP|RENAME)\s+(USER|ROLE))|GRANT|REVOKE|SET\s+PASSWORD|SET\s+DEFAULT\s+ROLE)\b/i;

function names(database: string, text: string): boolean {
  return new RegExp(
    `(^|[^\\w$\`])\`?${database}\`?\\s*\\.|\\b(DATABASE|SCHEMA)\\s+(IF\\s+(NOT\\s+)?EXISTS\\s+)?\`?${database}\`?(?![\\w$])`,
    "i",
  ).test(text);
}

/** Does the transaction belong to the database of the application? */
export function belonging(transaction: Transaction, database: string): Belonging {
  const { packed, schemas, statement } = transaction;
  // What it changes cannot be seen; nobody but the application writes much.
  if (packed || schemas.includes(database)) return { ours: true };
  if (schemas.length > 0) return { ours: false, kind: `rows of ${schemas.join(", ")}` };
  if (!statement) return { ours: false, kind: "transactions that change nothing" };
  const text = statement.text.replace(comments, "");
  if (account.test(text)) return { ours: false, kind: "statements about accounts" };
  if (statement.database === database) return { ours: true };
  if (!names(database, text)) {
    return { ours: false, kind: `statements in database ${statement.database || "(none)"}` };
  }
  return { ours: true, ...(statement.database && { givenIn: statement.database }) };
}
