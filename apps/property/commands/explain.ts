import type { SqlConnection } from "../database/connection";
import { listQuery } from "../http/schemas";
import { listSql } from "../properties/queries";

/** Lists whose plans are shown: what people ask for, and what the benchmark asks for. */
export const explainedLists: readonly Readonly<Record<string, string>>[] = [
  {},
  { city: "Berlin" },
  { kind: "house" },
  { city: "Berlin", kind: "apartment" },
  { city: "Berlin", kind: "apartment", minPrice: "200000", maxPrice: "600000", minBedrooms: "2" },
  { city: "Berlin", minPrice: "200000", sort: "-price" },
  { minPrice: "200000", maxPrice: "300000" },
  { city: "Berlin", sort: "newest" },
  { city: "Berlin", kind: "apartment", sort: "newest" },
  { sort: "newest" },
];

export interface Plan {
  readonly query: string;
  readonly sql: string;
  readonly key: string | null;
  readonly rows: number;
  readonly extra: string;
}

/** The server's plan of each list's page and count. */
export async function explain(connection: SqlConnection): Promise<Plan[]> {
  const plans: Plan[] = [];
  for (const filter of explainedLists) {
    const sql = listSql(listQuery.parse(filter));
    for (const [what, { text, values }] of Object.entries(sql)) {
      const { rows } = await connection.execute(`EXPLAIN FORMAT=TRADITIONAL ${text}`, values, 5000);
      const plan = rows[0] ?? {};
      plans.push({
        query: `${new URLSearchParams(filter).toString() || "(all)"} ${what}`,
        sql: text,
        key: plan.key === null || plan.key === undefined ? null : String(plan.key),
        rows: Number(plan.rows ?? 0),
        extra: String(plan.Extra ?? ""),
      });
    }
  }
  return plans;
}
