import { connect as connectSocket } from "node:net";
import {
  createConnection,
  type Connection as DriverConnection,
  type ResultSetHeader,
} from "mysql2/promise";
import type { Address, MysqlSettings } from "../settings";

export type SqlValue = string | number | null | Buffer;
export type SqlRow = Readonly<Record<string, SqlValue | undefined>>;

export interface SqlResult {
  readonly rows: readonly SqlRow[];
  readonly affectedRows: number;
  readonly insertId: number;
  /** GTIDs of what this statement committed, as a set. */
  readonly gtids: string;
}

/** A session. Every statement has a limit to its time; one that is over it ends the session. */
export interface SqlConnection {
  /** One statement without values: control of transactions and sessions. */
  query(sql: string, timeoutMs: number): Promise<SqlResult>;
  /** One prepared statement: values never become part of its text. */
  execute(sql: string, values: readonly SqlValue[], timeoutMs: number): Promise<SqlResult>;
  destroy(): void;
}

export interface ConnectOptions {
  readonly connectMs: number;
  /** Assignments of session variables, `wait_timeout=30`. */
  readonly session: readonly string[];
  /** Allows files of several statements; for migrations alone. */
  readonly multipleStatements?: boolean;
  /** The other side has ended the connection. */
  readonly lost?: () => void;
}

/** Opens a session. The server's certificate must be from the authority and bear the address. */
export async function connectMysql(
  { host, port }: Address,
  account: Pick<MysqlSettings, "user" | "password" | "database" | "ca">,
  options: ConnectOptions,
): Promise<SqlConnection> {
  const { user, password, database, ca } = account;
  const driver = await createConnection({
    host,
    port,
    user,
    password,
    database,
    // The driver hands TLS a socket without the name to verify where the host is an address;
    // certificates would be compared with "localhost". A socket of our own carries the name.
    stream: () =>
      Object.assign(
        connectSocket({
          host,
          port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: 1000,
        }),
        { _host: host },
      ),
    ssl: tlsOptions(ca),
    connectTimeout: options.connectMs,
    charset: "utf8mb4_0900_ai_ci",
    dateStrings: true,
    supportBigNumbers: true,
    multipleStatements: options.multipleStatements ?? false,
    flags: ["-LOCAL_FILES"],
  });
  const lost = () => options.lost?.();
  driver.on("error", lost);
  driver.on("end", lost);
  const connection = new MysqlConnection(driver);
  if (options.session.length > 0) {
    try {
      await connection.query(`SET SESSION ${options.session.join(", ")}`, options.connectMs);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }
  return connection;
}

const tlsByAuthority = new Map<string, { ca: string; minVersion: string; verifyIdentity: true }>();

/** The same object for the same authority: the driver keeps parsed certificates by it. */
function tlsOptions(ca: string) {
  let options = tlsByAuthority.get(ca);
  if (!options) {
    options = { ca, minVersion: "TLSv1.2", verifyIdentity: true };
    tlsByAuthority.set(ca, options);
  }
  return options;
}

class MysqlConnection implements SqlConnection {
  constructor(private readonly driver: DriverConnection) {}

  async query(sql: string, timeoutMs: number): Promise<SqlResult> {
    const [result] = await this.driver.query({ sql, timeout: Math.ceil(timeoutMs) });
    return toResult(result);
  }

  async execute(sql: string, values: readonly SqlValue[], timeoutMs: number): Promise<SqlResult> {
    const [result] = await this.driver.execute({
      sql,
      values: [...values],
      timeout: Math.ceil(timeoutMs),
    });
    return toResult(result);
  }

  destroy(): void {
    this.driver.destroy();
  }
}

type Header = ResultSetHeader & { readonly stateChanges?: { readonly gtids: readonly string[] } };

function toResult(result: unknown): SqlResult {
  // Several statements at once give a result each; nobody looks at those.
  if (Array.isArray(result)) {
    return { rows: result as SqlRow[], affectedRows: 0, insertId: 0, gtids: "" };
  }
  const { affectedRows, insertId, stateChanges } = result as Header;
  return { rows: [], affectedRows, insertId, gtids: stateChanges?.gtids.join(",") ?? "" };
}
