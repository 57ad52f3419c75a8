/* What mysqldump is asked for, and what the beginning of its answer says. Pure. */
import { parseGtidSet, type GtidSet } from "../mysql/gtid";

/** Name of a full backup in its snapshot. */
export const dumpFile = "dump.sql";

/** Arguments after those of the connection. */
export function dumpArguments(database: string): string[] {
  return [
    // A statement that runs for long must not keep the others waiting behind the dump's short lock:
    // rather no backup now. A slow store must not break the connection.
    "--init-command=SET SESSION lock_wait_timeout=3, net_write_timeout=3600",
    "--single-transaction",
    "--quick",
    "--set-gtid-purged=COMMENTED",
    "--no-tablespaces",
    "--skip-column-statistics",
    "--loose-skip-masking-policies",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    "--skip-lock-tables",
    "--skip-add-locks",
    "--skip-disable-keys",
    "--max-allowed-packet=1G",
    "--databases",
    database,
  ];
}

/** The beginning of a dump, up to its first statement about the database. */
export interface DumpHeader {
  /** What the dump contains. */
  readonly gtids: GtidSet;
  /** The header without what would keep the loaded data from being replicated. */
  readonly text: string;
}

const beginning = /^-- Current Database: /m;
const gtidComment = /^\/\* SET @@GLOBAL\.GTID_PURGED='\+?([^']*)';\*\/$/m;
/** Keeps what follows out of the binary log, and so from every other member. */
const unlogged = /^SET @@SESSION\.SQL_LOG_BIN= ?0;$/m;

/** A header longer than this is none. */
export const maxHeaderLength = 1 << 20;

/** The header of a dump; undefined while `text` does not hold all of it. Throws where it is none. */
export function dumpHeader(text: string): DumpHeader | undefined {
  const at = text.search(beginning);
  if (at < 0) {
    if (text.length > maxHeaderLength) throw new Error("the dump does not begin as one does");
    return undefined;
  }
  const header = text.slice(0, at);
  const [, gtids] = gtidComment.exec(header) ?? [];
  if (gtids === undefined) throw new Error("the dump does not say which transactions it contains");
  const logged = header.replace(unlogged, "");
  if (/SQL_LOG_BIN\s*=\s*0/i.test(logged)) {
    throw new Error("the dump's beginning is not what it was in other versions of mysqldump");
  }
  return { gtids: parseGtidSet(gtids), text: `${logged}${text.slice(at)}` };
}
