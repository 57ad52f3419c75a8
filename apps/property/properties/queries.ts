import { HttpProblem } from "../http/problems";
import { decodeCursor, encodeCursor, type Cursor } from "../http/cursor";
import type { ListQuery, Property, PropertyInput } from "../http/schemas";
import type { SqlRow, SqlValue } from "../database/connection";

/*
 * The SQL of properties, as text and values. Values never become part of the text.
 */

export interface Sql {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

const columns =
  "id, title, description, city, kind, price, bedrooms, area, version, created_at, updated_at";

/** Time as MySQL writes it, in UTC. */
export const toSqlTime = (date: Date) => date.toISOString().replace("T", " ").replace("Z", "");

/** Back again; the driver leaves out what is zero behind the seconds. */
function fromSqlTime(text: SqlValue | undefined): string {
  const [seconds = "", fraction = ""] = String(text).replace(" ", "T").split(".");
  return `${seconds}.${fraction.padEnd(3, "0")}Z`;
}

export function toProperty(row: SqlRow): Property {
  return {
    id: Number(row.id),
    title: String(row.title),
    description: String(row.description),
    city: String(row.city),
    kind: row.kind as Property["kind"],
    price: Number(row.price),
    bedrooms: Number(row.bedrooms),
    area: Number(row.area),
    version: Number(row.version),
    createdAt: fromSqlTime(row.created_at),
    updatedAt: fromSqlTime(row.updated_at),
  };
}

export const selectOne = (id: number): Sql => ({
  text: `SELECT ${columns} FROM property WHERE id = ?`,
  values: [id],
});

export const selectForUpdate = (id: number): Sql => ({
  text: `SELECT ${columns} FROM property WHERE id = ? FOR UPDATE`,
  values: [id],
});

export const insertOne = (input: PropertyInput, at: Date): Sql => ({
  text:
    "INSERT INTO property (title, description, city, kind, price, bedrooms, area, version, created_at, updated_at)" +
    " VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
  values: [...inputValues(input), toSqlTime(at), toSqlTime(at)],
});

export const updateOne = (id: number, input: PropertyInput, at: Date): Sql => ({
  text:
    "UPDATE property SET title = ?, description = ?, city = ?, kind = ?, price = ?, bedrooms = ?, area = ?," +
    " version = version + 1, updated_at = ? WHERE id = ?",
  values: [...inputValues(input), toSqlTime(at), id],
});

export const deleteOne = (id: number): Sql => ({
  text: "DELETE FROM property WHERE id = ?",
  values: [id],
});

const inputValues = (input: PropertyInput): SqlValue[] => [
  input.title,
  input.description,
  input.city,
  input.kind,
  input.price,
  input.bedrooms,
  input.area,
];

/** A page and the number of all matches, as queries. Throws HttpProblem for a wrong cursor. */
export function listSql(query: ListQuery): { readonly page: Sql; readonly total: Sql } {
  const { clauses, values } = filter(query);
  const after = afterCursor(query);
  const all = [...clauses, ...after.clauses];
  const order = { price: "price, id", "-price": "price DESC, id DESC", newest: "id DESC" };
  return {
    page: {
      // One more row than asked for says whether there is another page. The limit is a checked
      // integer; as a value it would keep the server from planning with it.
      text: `SELECT ${columns} FROM property${where(all)} ORDER BY ${order[query.sort]} LIMIT ${query.limit + 1}`,
      values: [...values, ...after.values],
    },
    total: { text: `SELECT COUNT(*) AS total FROM property${where(clauses)}`, values },
  };
}

const where = (clauses: readonly string[]) =>
  clauses.length === 0 ? "" : ` WHERE ${clauses.join(" AND ")}`;

interface Clauses {
  readonly clauses: readonly string[];
  readonly values: readonly SqlValue[];
}

function filter(query: ListQuery): Clauses {
  const conditions: readonly (readonly [string, SqlValue | undefined])[] = [
    ["city = ?", query.city],
    ["kind = ?", query.kind],
    ["price >= ?", query.minPrice],
    ["price <= ?", query.maxPrice],
    ["bedrooms = ?", query.bedrooms],
    ["bedrooms >= ?", query.minBedrooms],
  ];
  const used = conditions.filter(([, value]) => value !== undefined);
  return {
    clauses: used.map(([clause]) => clause),
    values: used.map(([, value]) => value ?? null),
  };
}

function afterCursor({ cursor, sort }: ListQuery): Clauses {
  if (cursor === undefined) return { clauses: [], values: [] };
  const place = decodeCursor(cursor);
  if (place?.sort !== sort) {
    throw new HttpProblem(400, "the request is not valid", {
      errors: [{ pointer: "/query/cursor", detail: "no cursor of this list and order" }],
    });
  }
  const { price, id } = place;
  if (price === undefined) return { clauses: ["id < ?"], values: [id] };
  // The first condition bounds the range of the index, the second skips within the same price.
  const [reach, beyond] = sort === "price" ? [">=", ">"] : ["<=", "<"];
  return {
    clauses: [`price ${reach} ?`, `(price ${beyond} ? OR id ${beyond} ?)`],
    values: [price, price, id],
  };
}

/** A page from its rows, of which there may be one more than the limit. */
export function toPage(
  rows: readonly SqlRow[],
  { limit, sort }: ListQuery,
): { readonly items: readonly Property[]; readonly nextCursor: string | null } {
  const items = rows.slice(0, limit).map(toProperty);
  const last = items.at(-1);
  if (rows.length <= limit || !last) return { items, nextCursor: null };
  const cursor: Cursor = {
    sort,
    price: sort === "newest" ? undefined : last.price,
    id: last.id,
  };
  return { items, nextCursor: encodeCursor(cursor) };
}
