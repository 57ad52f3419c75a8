import { setTimeout as sleep } from "node:timers/promises";
import { sequenceOf } from "../../loadtests/ledger/api";
import type { MemberSnapshot, StoredRow } from "../../loadtests/ledger";
import { mustRun } from "../faults/fault";
import type { LiveStack } from "./liveStack";

/** A member of the database or the cache, and its machine. */
export interface Member {
  readonly node: string;
  readonly machine: string;
}

/** What `status` of a member prints, as far as tests look at it. */
export interface MemberStatus {
  readonly ready: boolean;
  readonly role: string | null;
  readonly reason?: string;
}

/** The database's client as its administrator, inside a member. */
export const client =
  "mysql --user=agent --socket=/run/mysqld/mysqld.sock --batch --skip-column-names";

/** Runs SQL on a member as its administrator; lines of columns separated by tabs. */
export async function sql(stack: LiveStack, member: Member, text: string): Promise<string> {
  return mustRun(stack, member.machine, `docker exec -i ${member.node} ${client}`, {
    input: text,
  });
}

/** A member's own report; undefined where it does not answer. */
export async function statusOf(
  stack: LiveStack,
  { node, machine }: Member,
): Promise<MemberStatus | undefined> {
  const { exitCode, stdout } = await stack.on(machine, `timeout 20 docker exec ${node} status`);
  if (exitCode !== 0) return undefined;
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as MemberStatus;
}

/** The member that takes writes now. Throws where there is none, or more than one. */
export async function primaryOf(stack: LiveStack, members: readonly Member[]): Promise<Member> {
  const states = await Promise.all(members.map((member) => statusOf(stack, member)));
  const primaries = members.filter((_, n) => states[n]?.ready && states[n].role === "PRIMARY");
  const [primary] = primaries;
  if (!primary || primaries.length > 1) {
    throw new Error(`found ${primaries.length} primaries: ${JSON.stringify(states)}`);
  }
  return primary;
}

const executed = "SELECT 'executed', REPLACE(@@GLOBAL.gtid_executed, '\\n', '');";

const columns = ["id", "title", "description", "city", "kind", "price", "bedrooms", "area"];

/** SQL that prints what `parseSnapshot` reads: the ledger's rows and every table's checksum. */
export function snapshotSql(database: string, prefix: string): string {
  return [
    executed,
    `SELECT 'row', ${columns.join(", ")} FROM ${database}.property WHERE title LIKE '${prefix}%';`,
    "SET SESSION group_concat_max_len = 100000;",
    `SET @tables = (SELECT GROUP_CONCAT('${database}.', table_name) FROM information_schema.tables WHERE table_schema = '${database}' AND table_type = 'BASE TABLE');`,
    "SET @text = CONCAT('CHECKSUM TABLE ', @tables);",
    "PREPARE checksums FROM @text;",
    "EXECUTE checksums;",
    executed,
  ].join("\n");
}

export interface ParsedSnapshot extends MemberSnapshot {
  /** Transactions that the member had executed before and after it was read. */
  readonly executed: readonly string[];
}

/** Reads what `snapshotSql` printed. Throws where something of it is missing. */
export function parseSnapshot(output: string): ParsedSnapshot {
  const lines = output.split("\n").filter(Boolean);
  const rows: StoredRow[] = [];
  const checksums: Record<string, string> = {};
  const done: string[] = [];
  for (const line of lines) {
    const [kind = "", ...values] = line.split("\t");
    if (kind === "executed") done.push(values[0] ?? "");
    else if (kind === "row") rows.push(storedRow(values));
    else checksums[kind] = values[0] ?? "";
  }
  if (done.length !== 2 || Object.keys(checksums).length === 0) {
    throw new Error(`the member printed too little: ${output.slice(-500)}`);
  }
  return { rows, checksums, executed: done };
}

function storedRow(values: readonly string[]): StoredRow {
  const row = Object.fromEntries(columns.map((column, n) => [column, values[n] ?? ""]));
  const marker = row["title"] ?? "";
  return {
    id: row["id"] ?? "",
    marker,
    sequence: sequenceOf(marker, row),
    text: values.join(", "),
  };
}

/**
 * What every member holds, read while none of them executed anything and all had executed the
 * same. Throws where that does not come within `seconds`. Nobody may write meanwhile.
 */
export async function snapshotsOf(
  stack: LiveStack,
  members: readonly Member[],
  prefix: string,
  seconds = 90,
): Promise<ReadonlyMap<string, MemberSnapshot>> {
  const deadline = Date.now() + seconds * 1000;
  let trouble = "";
  while (Date.now() < deadline) {
    const results = await Promise.allSettled(
      members.map(async (member) =>
        parseSnapshot(await sql(stack, member, snapshotSql("app", prefix))),
      ),
    );
    const snapshots = results.flatMap((result) =>
      result.status === "fulfilled" ? [result.value] : [],
    );
    const states = new Set(snapshots.flatMap((snapshot) => snapshot.executed));
    if (snapshots.length === members.length && states.size === 1) {
      return new Map(members.map(({ node }, n) => [node, snapshots[n]!]));
    }
    trouble = results
      .map((result, n) => {
        const node = members[n]?.node ?? "";
        return result.status === "fulfilled"
          ? `${node} executed ${result.value.executed.at(-1) ?? ""}`
          : `${node}: ${String(result.reason)}`;
      })
      .join("\n");
    await sleep(1000);
  }
  throw new Error(`the members did not agree within ${seconds} s:\n${trouble}`);
}
