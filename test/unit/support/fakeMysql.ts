import { setTimeout as delay } from "node:timers/promises";
import type {
  SqlConnection,
  SqlResult,
  SqlRow,
  SqlValue,
} from "../../../apps/property/database/connection";
import type { Side } from "../../../apps/property/database/database";

/** An error as the driver throws it. */
export function sqlError(errno: number, code: string): Error {
  return Object.assign(new Error(`${code} from the fake`), { errno, code });
}

export const connectionLost = () =>
  Object.assign(new Error("Connection lost"), { code: "PROTOCOL_CONNECTION_LOST", fatal: true });

interface State {
  readonly rows: Map<number, SqlRow>;
  readonly keys: Map<string, SqlRow>;
}

const nothing: SqlResult = { rows: [], affectedRows: 0, insertId: 0, gtids: "" };
export const source = "aaaaaaaa-0000-4000-8000-000000000001";

/**
 * A primary and a replica in memory, as far as the property application uses them: properties,
 * idempotency keys, transactions, GTIDs. The replica holds what `replicate` has brought to it.
 */
export class FakeMysql {
  readonly primary: State = { rows: new Map(), keys: new Map() };
  replica: State = { rows: new Map(), keys: new Map() };
  executed = 0;
  replicaExecuted = 0;
  schemaVersion = 2;
  /** Replication follows every commit by itself. */
  keepsUp = true;
  readonly statements: { readonly side: Side; readonly sql: string }[] = [];
  connects = 0;
  destroyed = 0;
  /** Called before each statement; what it throws is the statement's error. */
  before: (side: Side, sql: string) => void | Promise<void> = () => {};
  /** Called after a commit took effect, before it is answered. */
  afterCommit: () => void | Promise<void> = () => {};
  /** Called for each connection. */
  onConnect: (side: Side) => void | Promise<void> = () => {};
  private ids = 0;
  private readonly locks = new Map<string, Session>();

  async connect(side: Side): Promise<SqlConnection> {
    this.connects += 1;
    await this.onConnect(side);
    return new Session(this, side);
  }

  replicate(): void {
    this.replica = { rows: new Map(this.primary.rows), keys: new Map(this.primary.keys) };
    this.replicaExecuted = this.executed;
  }

  gtids(side: Side): string {
    const last = side === "primary" ? this.executed : this.replicaExecuted;
    return last === 0 ? "" : `${source}:1-${last}`;
  }

  nextId(): number {
    return (this.ids += 1);
  }

  async lock(key: string, session: Session): Promise<void> {
    for (let waited = 0; ; waited += 5) {
      const holder = this.locks.get(key);
      if (!holder || holder === session) break;
      if (waited > 60) throw sqlError(1205, "ER_LOCK_WAIT_TIMEOUT");
      await delay(5);
    }
    this.locks.set(key, session);
  }

  unlock(session: Session): void {
    for (const [key, holder] of this.locks) if (holder === session) this.locks.delete(key);
  }
}

class Session implements SqlConnection {
  private changes: (() => void)[] | undefined;
  private readonly own = {
    rows: new Map<number, SqlRow | undefined>(),
    keys: new Map<string, SqlRow>(),
  };

  constructor(
    private readonly server: FakeMysql,
    private readonly side: Side,
  ) {}

  destroy(): void {
    this.server.destroyed += 1;
    this.end();
  }

  async query(sql: string): Promise<SqlResult> {
    return this.execute(sql, []);
  }

  async execute(sql: string, values: readonly SqlValue[]): Promise<SqlResult> {
    const { server, side } = this;
    server.statements.push({ side, sql });
    await server.before(side, sql);
    await delay(0);
    if (sql === "START TRANSACTION") {
      this.changes = [];
      return nothing;
    }
    if (sql === "ROLLBACK") {
      this.end();
      return nothing;
    }
    if (sql === "COMMIT") return this.commit();
    if (sql.includes("gtid_executed")) return rows([{ executed: server.gtids(side) }]);
    if (sql.includes("WAIT_FOR_EXECUTED"))
      return this.waitFor(String(values[0]), Number(values[1]));
    if (sql.includes("FROM schemaversion")) return rows([{ version: server.schemaVersion }]);
    if (sql.includes("idempotency")) return this.idempotency(sql, values);
    return this.property(sql, values);
  }

  private async commit(): Promise<SqlResult> {
    const { server } = this;
    const changes = this.changes ?? [];
    for (const change of changes) change();
    this.end();
    if (changes.length === 0) return nothing;
    server.executed += 1;
    const gtids = `${source}:${server.executed}`;
    if (server.keepsUp) server.replicate();
    await server.afterCommit();
    return { ...nothing, gtids };
  }

  private end(): void {
    this.changes = undefined;
    this.own.rows.clear();
    this.own.keys.clear();
    this.server.unlock(this);
  }

  private async waitFor(gtids: string, seconds: number): Promise<SqlResult> {
    const needed = Number(/\d+$/.exec(gtids)?.[0]);
    for (let waited = 0; waited <= seconds * 1000; waited += 5) {
      if (this.server.replicaExecuted >= needed) return rows([{ late: 0 }]);
      await delay(5);
    }
    return rows([{ late: 1 }]);
  }

  private async idempotency(sql: string, values: readonly SqlValue[]): Promise<SqlResult> {
    const { server } = this;
    if (sql.startsWith("INSERT")) {
      const [key, hash] = values as [string, Buffer];
      await server.lock(key, this);
      if (server.primary.keys.has(key)) throw sqlError(1062, "ER_DUP_ENTRY");
      this.own.keys.set(key, { request_hash: hash, status: null, response: null });
      return { ...nothing, affectedRows: 1 };
    }
    if (sql.startsWith("UPDATE")) {
      const [status, response, key] = values as [number, string, string];
      const row = { ...this.own.keys.get(key), status, response };
      this.changes?.push(() => server.primary.keys.set(key, row));
      return { ...nothing, affectedRows: 1 };
    }
    if (sql.startsWith("DELETE")) return nothing;
    const found = server.primary.keys.get(String(values[0]));
    return rows(found ? [found] : []);
  }

  private async property(sql: string, values: readonly SqlValue[]): Promise<SqlResult> {
    const { server, side } = this;
    const state = side === "primary" ? server.primary : server.replica;
    if (sql.startsWith("SELECT COUNT")) return rows([{ total: state.rows.size }]);
    if (sql.startsWith("SELECT") && sql.includes("WHERE id = ?")) {
      const id = Number(values[0]);
      if (sql.endsWith("FOR UPDATE")) await server.lock(`row ${id}`, this);
      const row = state.rows.get(id);
      return rows(row ? [row] : []);
    }
    if (sql.startsWith("SELECT")) {
      const limit = Number(/LIMIT (\d+)/.exec(sql)?.[1]);
      const price = (row: SqlRow) => Number(row.price);
      const all = [...state.rows.values()].sort((a, b) => price(a) - price(b));
      return rows(all.slice(0, limit));
    }
    const columns = ["title", "description", "city", "kind", "price", "bedrooms", "area"];
    const named = Object.fromEntries(columns.map((name, n) => [name, values[n]]));
    if (sql.startsWith("INSERT")) {
      const id = server.nextId();
      const row = { id, ...named, version: 1, created_at: values[7], updated_at: values[8] };
      this.changes?.push(() => server.primary.rows.set(id, row));
      return { ...nothing, affectedRows: 1, insertId: id };
    }
    const id = Number(values.at(-1));
    if (sql.startsWith("UPDATE")) {
      const before = server.primary.rows.get(id);
      const version = Number(before?.version) + 1;
      const row = { ...before, ...named, version, updated_at: values[7] };
      this.changes?.push(() => server.primary.rows.set(id, row));
      return { ...nothing, affectedRows: 1 };
    }
    if (sql.startsWith("DELETE")) {
      this.changes?.push(() => server.primary.rows.delete(id));
      return { ...nothing, affectedRows: 1 };
    }
    throw new Error(`the fake does not know: ${sql}`);
  }
}

const rows = (list: readonly SqlRow[]): SqlResult => ({ ...nothing, rows: list });
