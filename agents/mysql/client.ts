import { readFileSync } from "node:fs";
import { createConnection, type Connection, type ConnectionOptions } from "mysql2/promise";
import { within } from "../io";
import * as paths from "./paths";

export type Row = Readonly<Record<string, unknown>>;

/** A connection on which every statement has a time limit; past it the connection is given up. */
export class Session {
  private constructor(
    private readonly connection: Connection,
    private readonly limitMs: number,
  ) {
    // The failure of the statement under way says enough.
    connection.on("error", () => undefined);
  }

  /** As the administrator, over the socket. */
  static local(limitMs: number): Promise<Session> {
    return Session.open({ socketPath: paths.socket, user: "agent" }, limitMs);
  }

  static async open(options: ConnectionOptions, limitMs: number): Promise<Session> {
    const opening = createConnection({
      ...options,
      connectTimeout: limitMs,
      disableEval: true,
      supportBigNumbers: true,
    });
    // What comes after the limit is closed by whoever hears of it: nobody but this line.
    let late = false;
    opening.then(
      (connection) => {
        if (late) connection.destroy();
      },
      () => undefined,
    );
    const connection = await within(limitMs, opening, () => (late = true));
    return new Session(connection, limitMs);
  }

  /** Rows of a statement's answer, none where it has no rows. */
  async query(sql: string, limitMs = this.limitMs): Promise<readonly Row[]> {
    const asked = this.connection.query(sql);
    asked.catch(() => undefined);
    const [answer] = await within(limitMs, asked, () => this.destroy());
    return Array.isArray(answer) ? (answer as Row[]) : [];
  }

  destroy(): void {
    this.connection.destroy();
  }
}

/** Error number of the server, undefined where something else failed. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Does the server at that address take this password? Throws where it does not say. */
export async function accepts(
  address: string,
  port: number,
  user: string,
  password: string,
): Promise<boolean> {
  try {
    const session = await Session.open(
      {
        host: address,
        port,
        user,
        password,
        ssl: { ca: readFileSync(paths.authorityFile), verifyIdentity: true },
      },
      5000,
    );
    session.destroy();
    return true;
  } catch (error) {
    if (errorCode(error) === "ER_ACCESS_DENIED_ERROR") return false;
    throw error;
  }
}
