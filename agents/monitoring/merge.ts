/*
 * One answer out of those of several Prometheus, each of which has holes: the times at which it did
 * not run or saw nothing. At each time the one that saw most is believed, whole: to take a series
 * from one and a series from another would add up what no one has seen, and to mix their samples
 * would look like counters that start again. Pure.
 */

/** Time in seconds since 1970, and the value as text. */
export type Point = readonly [number, string];

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Of a query over a range. */
  readonly values?: readonly Point[];
  /** Of a query at one time. */
  readonly value?: Point;
}

/** What Prometheus answers to a query that it understands. */
export interface Answer {
  readonly status: "success";
  readonly data:
    | { readonly resultType: "matrix"; readonly result: readonly Series[] }
    | { readonly resultType: "vector"; readonly result: readonly Series[] }
    | { readonly resultType: "scalar"; readonly result: Point }
    | { readonly resultType: "string"; readonly result: Point };
}

/** An answer, and how much its Prometheus saw at each time. */
export interface Weighed {
  readonly answer: Answer;
  /** Time -> successful scrapes just before it. */
  readonly seen: ReadonlyMap<number, number>;
}

const unitSeconds: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

const quotedText = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
const range = /\[\s*((?:\d+(?:ms|[smhdwy]))+)/g;

function durationSeconds(text: string): number {
  return [...text.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
    (sum, [, count, unit = ""]) => sum + Number(count) * (unitSeconds[unit] ?? 0),
    0,
  );
}

/** Three slots of five seconds: what a query without a range looks back. */
const leastSeconds = 15;
/** To weigh more would cost more than it tells. */
const mostSeconds = 3600;

/** The query that tells how much a Prometheus saw of the time that `query` looks back on. */
export function weightQuery(query: string): string {
  const ranges = [...query.replaceAll(quotedText, '""').matchAll(range)];
  const longest = Math.max(leastSeconds, ...ranges.map(([, text = ""]) => durationSeconds(text)));
  return `sum(sum_over_time(up[${Math.ceil(Math.min(longest, mostSeconds))}s]))`;
}

function points({ data }: Answer): Point[] {
  if (data.resultType === "scalar" || data.resultType === "string") return [data.result];
  return data.result.flatMap(({ values = [], value }) => [...values, ...(value ? [value] : [])]);
}

/** What an answer to the weight query says. */
export function seenOf(answer: Answer): ReadonlyMap<number, number> {
  return new Map(points(answer).map(([time, value]) => [time, Number(value)]));
}

/** Another one is believed where it saw this much more; scrapes are never exactly as many. */
const clearlyMore = 1.1;

/** Index of the answer that is believed at that time. */
function believed(
  weighed: readonly Weighed[],
  has: readonly ReadonlySet<number>[],
  time: number,
): number {
  const saw = (index: number) => weighed[index]?.seen.get(time) ?? 0;
  const best = weighed.reduce(
    (chosen, _, index) => (saw(index) > clearlyMore * saw(chosen) ? index : chosen),
    0,
  );
  return saw(best) > 0 ? best : has.findIndex((times) => times.has(time));
}

const labelsOf = ({ metric }: Series) =>
  JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));

/** One answer of all, which must be at least one, of the same query at the same times. */
export function merge(weighed: readonly Weighed[]): Answer {
  const [first] = weighed;
  if (!first) throw new Error("found no answer, allowed: at least one");
  const has = weighed.map(({ answer }) => new Set(points(answer).map(([time]) => time)));
  if (first.answer.data.resultType !== "matrix") {
    const [time = 0] = has.flatMap((times) => [...times]);
    return (weighed[believed(weighed, has, time)] ?? first).answer;
  }
  const choices = new Map<number, number>();
  const chosen = (time: number) => {
    const known = choices.get(time) ?? believed(weighed, has, time);
    choices.set(time, known);
    return known;
  };
  const merged = new Map<string, { metric: Series["metric"]; values: Point[] }>();
  weighed.forEach(({ answer: { data } }, index) => {
    if (data.resultType !== "matrix") return;
    for (const series of data.result) {
      const values = (series.values ?? []).filter(([time]) => chosen(time) === index);
      const key = labelsOf(series);
      const known = merged.get(key);
      if (known) known.values.push(...values);
      else if (values.length > 0) merged.set(key, { metric: series.metric, values });
    }
  });
  const result = [...merged.values()].map(({ metric, values }) => ({
    metric,
    values: values.sort(([a], [b]) => a - b),
  }));
  return { status: "success", data: { resultType: "matrix", result } };
}
