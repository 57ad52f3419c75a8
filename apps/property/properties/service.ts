import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Cache, CacheResult } from "../cache/cache";
import type { Database, Statements } from "../database/database";
import { DatabaseUnavailable } from "../database/errors";
import type { Flags } from "../flags";
import { HttpProblem } from "../http/problems";
import type { ListQuery, Property, PropertyInput } from "../http/schemas";
import type { Metrics } from "../metrics";
import { once, ownKeyMs, requestHash, type Answer, type Done, type WriteKey } from "./idempotency";
import {
  deleteOne,
  insertOne,
  listSql,
  selectForUpdate,
  selectOne,
  toPage,
  toProperty,
  updateOne,
  type Sql,
} from "./queries";

export interface ReadAnswer {
  /** JSON. */
  readonly body: string;
  readonly cache: CacheResult;
}

export interface WriteAnswer extends Done {
  /** What a reader must present to see this write. */
  readonly gtids: string;
}

/** How a client names the state that it wants to change. */
export interface Expected {
  /** From If-Match: another version there is refused with 412. */
  readonly etag?: number | undefined;
  /** From the body: another version there is refused with 409. */
  readonly version?: number | undefined;
}

export interface ServiceOptions {
  /** How long a client may come back with its idempotency key, in ms. */
  readonly idempotencyMs: number;
}

const notFound = (id: number) => new HttpProblem(404, `there is no property ${id}`);

/** Reads and writes of properties: the database, the cache beside it, and what keeps them right. */
export class PropertyService {
  constructor(
    private readonly database: Database,
    private readonly cache: Cache | undefined,
    private readonly flags: Flags,
    private readonly options: ServiceOptions,
    private readonly metrics: Metrics,
    private readonly log: Logger,
  ) {}

  /** Throws HttpProblem 404. `after`: GTIDs that the answer must include. */
  async get(id: number, after: string | undefined): Promise<ReadAnswer> {
    return this.cached("item", `item:${id}`, itemTag(id), after, async (run) => {
      const { rows } = await execute(run, selectOne(id));
      const [row] = rows;
      if (!row) throw notFound(id);
      return JSON.stringify(toProperty(row));
    });
  }

  /** Throws HttpProblem 400 for a wrong cursor. */
  async list(query: ListQuery, after: string | undefined): Promise<ReadAnswer> {
    const filter = { ...query, nonce: undefined };
    const sql = listSql(query);
    const name = `list:${requestHash([filter]).toString("base64url")}`;
    return this.cached("list", name, listTag(query), after, async (run) => {
      const page = toPage((await execute(run, sql.page)).rows, query);
      const total = query.total ? await execute(run, sql.total) : undefined;
      return JSON.stringify({ ...page, ...(total && { total: Number(total.rows[0]?.total) }) });
    });
  }

  async create(input: PropertyInput, clientKey: string | undefined): Promise<WriteAnswer> {
    const hash = requestHash(["POST", input]);
    return this.write(clientKey, hash, listTags(input), async (run) => {
      const at = new Date();
      const { insertId } = await execute(run, insertOne(input, at));
      return answer(201, created(insertId, input, at));
    });
  }

  /** Throws HttpProblem 404, 409, 412. */
  async replace(
    id: number,
    input: PropertyInput,
    expected: Expected,
    clientKey: string | undefined,
  ): Promise<WriteAnswer> {
    const hash = requestHash(["PUT", id, input, expected.etag, expected.version]);
    const known = [itemTag(id), ...listTags(input)];
    return this.write(clientKey, hash, known, async (run, tags) => {
      const before = await this.locked(run, id, expected);
      add(tags, listTags(before));
      const at = new Date();
      await execute(run, updateOne(id, input, at));
      return answer(200, {
        ...created(id, input, at),
        version: before.version + 1,
        createdAt: before.createdAt,
      });
    });
  }

  /** Throws HttpProblem 404, 412. */
  async remove(
    id: number,
    expected: Expected,
    clientKey: string | undefined,
  ): Promise<WriteAnswer> {
    const hash = requestHash(["DELETE", id, expected.etag]);
    return this.write(clientKey, hash, [itemTag(id)], async (run, tags) => {
      add(tags, listTags(await this.locked(run, id, expected)));
      await execute(run, deleteOne(id));
      return { status: 204, body: "" };
    });
  }

  private async locked(run: Statements, id: number, expected: Expected): Promise<Property> {
    const { rows } = await execute(run, selectForUpdate(id));
    const [row] = rows;
    if (!row) throw notFound(id);
    const found = toProperty(row);
    const { etag, version } = expected;
    if (etag !== undefined && etag !== found.version) {
      throw new HttpProblem(412, `the version is ${found.version}, If-Match asks for ${etag}`);
    }
    if (version !== undefined && version !== found.version) {
      throw new HttpProblem(
        409,
        `the version is ${found.version}, the request replaces ${version}`,
      );
    }
    return found;
  }

  private async cached(
    kind: "item" | "list",
    name: string,
    tag: string,
    after: string | undefined,
    read: (run: Statements) => Promise<string>,
  ): Promise<ReadAnswer> {
    const load = async (needed: string, wish?: string) => {
      const { value, covers } = await this.database.read(read, { after: needed, wish });
      return { body: value, covers };
    };
    if (!this.cache || !(await this.flags.enabled("cache"))) {
      this.metrics.cacheReads.inc({ kind, result: "bypass-off" });
      return { body: (await load(after ?? "")).body, cache: "bypass" };
    }
    const { body, result } = await this.cache.get({ kind, name, tag, after }, load);
    return { body, cache: result };
  }

  /**
   * Does the work once. Before the answer is given, all that it changes is invalid in the cache,
   * also where this node does not read it: others may. `known`: tags that it changes for certain;
   * the work adds what it learns.
   */
  private async write(
    clientKey: string | undefined,
    hash: Buffer,
    known: readonly string[],
    work: (run: Statements, tags: Set<string>) => Promise<Answer>,
  ): Promise<WriteAnswer> {
    const tags = new Set(known);
    const key: WriteKey = {
      key: clientKey === undefined ? `own:${randomUUID()}` : `client:${clientKey}`,
      hash,
      fromClient: clientKey !== undefined,
      expires: new Date(
        Date.now() + (clientKey === undefined ? ownKeyMs : this.options.idempotencyMs),
      ),
    };
    try {
      const { value, gtids } = await this.database.write((run, attempt) =>
        once(run, attempt, key, () => work(run, tags)),
      );
      if (value.replayed) {
        this.metrics.replays.inc();
        this.log.info({ fromClient: key.fromClient }, "a write was found done");
      }
      await this.cache?.invalidate([...tags], gtids);
      return { ...value, gtids };
    } catch (error) {
      if (error instanceof DatabaseUnavailable && error.outcome === "unknown") {
        await this.cache?.invalidate([...tags], undefined);
      }
      throw error;
    }
  }
}

const execute = (run: Statements, { text, values }: Sql) => run(text, values);

const add = (tags: Set<string>, more: readonly string[]) => {
  for (const tag of more) tags.add(tag);
};

const itemTag = (id: number) => `item:${id}`;

/** Tag of a list: what it selects by, as far as a tag stands for it. */
const listTag = ({ city, kind }: { readonly city?: string; readonly kind?: string }) =>
  `list:${kind ?? "*"}:${city ?? "*"}`;

/** Tags of all lists that a property with this city and kind may be in. */
const listTags = ({ city, kind }: PropertyInput) => [
  listTag({ city, kind }),
  listTag({ city }),
  listTag({ kind }),
  listTag({}),
];

const answer = (status: number, property: Property): Answer => ({
  status,
  body: JSON.stringify(property),
});

function created(id: number, input: PropertyInput, at: Date): Property {
  const time = at.toISOString();
  return { id, ...input, version: 1, createdAt: time, updatedAt: time };
}
