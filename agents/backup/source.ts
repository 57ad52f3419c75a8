import { readFileSync } from "node:fs";
import { Session } from "../mysql/client";
import { parseGtidSet, type GtidSet } from "../mysql/gtid";
import type { Endpoint } from "./options";
import * as paths from "./paths";
import { mayBeginWith, type ServerSets } from "./reception";

const limitMs = 10_000;

/** Opens a session at an endpoint, over TLS with the server's name verified. */
export function openSession(
  { host, port }: Endpoint,
  user: string,
  password: string,
  limit = limitMs,
): Promise<Session> {
  const ca = readFileSync(paths.authorityFile);
  return Session.open({ host, port, user, password, ssl: { ca, verifyIdentity: true } }, limit);
}

/** A server as it describes itself. */
export interface Source extends ServerSets {
  /** UUID of the server. */
  readonly server: string;
  /** False while it takes no writes: it may not be the primary yet, or any more. */
  readonly writable: boolean;
}

export async function describe(session: Session): Promise<Source> {
  const [row] = await session.query(
    "SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.gtid_purged AS purged, @@GLOBAL.server_uuid AS server, @@GLOBAL.super_read_only AS closed",
  );
  return {
    executed: parseGtidSet(String(row?.["executed"])),
    purged: parseGtidSet(String(row?.["purged"])),
    server: String(row?.["server"]),
    writable: Number(row?.["closed"]) === 0,
  };
}

/** Name of the newest binary log that holds everything outside `exclude`. */
export async function firstFile(session: Session, exclude: GtidSet): Promise<string> {
  const logs = await session.query("SHOW BINARY LOGS");
  for (const { Log_name: name } of [...logs].reverse()) {
    const file = String(name);
    const events = await session.query(
      `SHOW BINLOG EVENTS IN '${file.replaceAll("'", "''")}' LIMIT 2`,
    );
    const previous = events.find(({ Event_type: type }) => type === "Previous_gtids");
    if (previous && mayBeginWith(parseGtidSet(String(previous["Info"])), exclude)) return file;
  }
  throw new Error("the primary has no binary log that continues what was received");
}
