import { ask } from "../../agents/monitoring/ask";

/** A Prometheus or a reader, and how it is known. */
export interface Queried {
  readonly url: string;
  /** PEM of the authority of its certificate. */
  readonly authority: string;
}

/** A series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

async function get({ url, authority }: Queried, path: string): Promise<unknown> {
  const { status, body } = await ask(`${url}/api/v1/${path}`, authority, 10_000);
  if (status !== 200) throw new Error(`${url}: ${path}: status ${status}: ${body}`);
  return JSON.parse(body) as unknown;
}

/** Alerts that a Prometheus has firing, or waiting to fire. */
export async function activeAlerts(
  queried: Queried,
): Promise<readonly { readonly labels: Record<string, string>; readonly state: string }[]> {
  const answer = (await get(queried, "alerts")) as {
    data: { alerts: { labels: Record<string, string>; state: string }[] };
  };
  return answer.data.alerts;
}

/** Answer of a Prometheus to an instant query. */
export async function query(queried: Queried, expr: string): Promise<readonly Sample[]> {
  const answer = (await get(queried, `query?query=${encodeURIComponent(expr)}`)) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return answer.data.result.map(({ metric, value: [, value] }) => ({
    metric,
    value: Number(value),
  }));
}

/** Times from `from` to `to`, in seconds since 1970, at which a query over that range has a value. */
export async function valueTimes(
  queried: Queried,
  expr: string,
  [from, to]: readonly [number, number],
  step: number,
): Promise<readonly number[]> {
  const params = new URLSearchParams({
    query: expr,
    start: String(from),
    end: String(to),
    step: String(step),
  });
  const answer = (await get(queried, `query_range?${params.toString()}`)) as {
    data: { result: { values: [number, string][] }[] };
  };
  return [
    ...new Set(answer.data.result.flatMap(({ values }) => values.map(([time]) => time))),
  ].sort((a, b) => a - b);
}

/** A target of a Prometheus, and whether it answers. */
export interface Target {
  readonly job: string;
  readonly instance: string;
  readonly health: string;
  readonly lastError: string;
}

export async function targets(queried: Queried): Promise<readonly Target[]> {
  const answer = (await get(queried, "targets?state=active")) as {
    data: {
      activeTargets: { labels: Record<string, string>; health: string; lastError: string }[];
    };
  };
  return answer.data.activeTargets.map(({ labels, health, lastError }) => ({
    job: labels["job"] ?? "",
    instance: labels["instance"] ?? "",
    health,
    lastError,
  }));
}

/** Rules that a Prometheus could not evaluate, by name, with the reason. */
export async function brokenRules(queried: Queried): Promise<readonly string[]> {
  const answer = (await get(queried, "rules")) as {
    data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
  };
  return answer.data.groups
    .flatMap(({ rules }) => rules)
    .filter(({ health }) => health !== "ok")
    .map(({ name, health, lastError }) => [name, health, lastError].filter(Boolean).join(": "));
}
