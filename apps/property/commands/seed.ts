import type { Logger } from "pino";
import type { SqlConnection, SqlValue } from "../database/connection";
import { kinds, type PropertyInput } from "../http/schemas";
import { toSqlTime } from "../properties/queries";

const rowsAtOnce = 500;
const statementMs = 60_000;
const firstDay = Date.UTC(2025, 0, 1);

/** Cities that rows are spread over. */
export const cities = [
  ...["Amsterdam", "Athens", "Barcelona", "Berlin", "Bratislava", "Brussels", "Bucharest"],
  ...["Budapest", "Copenhagen", "Dublin", "Edinburgh", "Gdańsk", "Genoa", "Graz", "Hamburg"],
  ...["Helsinki", "Kraków", "Leipzig", "Lisbon", "Ljubljana", "London", "Lyon", "Madrid"],
  ...["Malmö", "Marseille", "Milan", "München", "Nantes", "Naples", "Nicosia", "Oslo", "Paris"],
  ...["Porto", "Prague", "Reykjavík", "Riga", "Rome", "Sofia", "Stockholm", "Tallinn"],
  ...["Thessaloniki", "Turin", "Utrecht", "Valencia", "Valletta", "Vienna", "Vilnius", "Warsaw"],
  ...["Zagreb", "Zürich"],
];

const sentences = [
  "Close to the park, with a view over the roofs of the old town.",
  "The kitchen was renewed two years ago and has room for a large table.",
  "Five minutes on foot to the station, trains every ten minutes.",
  "South-facing balcony, quiet courtyard, storage room in the cellar.",
  "Heated by a heat pump, with solar panels on the roof.",
  "Schools, shops and a swimming pool are within walking distance.",
  "High ceilings, oak floors, large windows on two sides.",
  "The garden has old fruit trees and a small greenhouse.",
];

/** The same numbers for the same seed: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Row number `index`, the same every time. */
export function sampleProperty(index: number): PropertyInput {
  const next = random(index);
  const pick = <T>(values: readonly T[]) => values[Math.floor(next() * values.length)] as T;
  const city = pick(cities);
  const kind = pick(kinds);
  const bedrooms = kind === "land" || kind === "office" ? 0 : 1 + Math.floor(next() * 6);
  const area = 20 + Math.floor(next() * 380);
  return {
    title: `${kind[0]?.toUpperCase()}${kind.slice(1)} in ${city}, ${area} m²`,
    description: `${pick(sentences)} ${pick(sentences)} ${pick(sentences)} Reference ${index}.`,
    city,
    kind,
    price: 50_000 + Math.floor(next() * 1_950) * 1000,
    bedrooms,
    area,
  };
}

/**
 * Fills the table with `rows` sample properties. Throws where there are rows already. What it
 * writes depends on nothing but the number.
 */
export async function seed(connection: SqlConnection, rows: number, log: Logger): Promise<void> {
  const found = await connection.query("SELECT id FROM property LIMIT 1", statementMs);
  if (found.rows.length > 0) throw new Error("the table has rows already: nothing was done");
  const begun = Date.now();
  for (let first = 1; first <= rows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - first + 1);
    const values: SqlValue[] = [];
    for (let index = first; index < first + count; index += 1) {
      const { title, description, city, kind, price, bedrooms, area } = sampleProperty(index);
      const at = toSqlTime(new Date(firstDay + index * 1000));
      values.push(index, title, description, city, kind, price, bedrooms, area, at, at);
    }
    const row = "(?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)";
    await connection.execute(
      "INSERT INTO property (id, title, description, city, kind, price, bedrooms, area, version, created_at, updated_at)" +
        ` VALUES ${Array<string>(count).fill(row).join(", ")}`,
      values,
      statementMs,
    );
    if (first % 10_000 === 1) log.info({ rows: first - 1 + count }, "seeding");
  }
  // Plans of queries are made with statistics; these go to the replicas too.
  await connection.query("ANALYZE TABLE property", statementMs);
  log.info({ rows, seconds: Math.round((Date.now() - begun) / 1000) }, "seeded");
}
