/** A series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

async function get(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url}: status ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Alerts that a Prometheus has firing, or waiting to fire. */
export async function activeAlerts(
  url: string,
): Promise<readonly { readonly labels: Record<string, string>; readonly state: string }[]> {
  const answer = (await get(`${url}/api/v1/alerts`)) as {
    data: { alerts: { labels: Record<string, string>; state: string }[] };
  };
  return answer.data.alerts;
}

/** Answer of a Prometheus to an instant query. */
export async function query(url: string, expr: string): Promise<readonly Sample[]> {
  const answer = (await get(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`)) as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return answer.data.result.map(({ metric, value: [, value] }) => ({
    metric,
    value: Number(value),
  }));
}

/** Times from `from` to `to`, in seconds since 1970, at which a query over that range has a value. */
export async function valueTimes(
  url: string,
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
  const answer = (await get(`${url}/api/v1/query_range?${params.toString()}`)) as {
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

export async function targets(url: string): Promise<readonly Target[]> {
  const answer = (await get(`${url}/api/v1/targets?state=active`)) as {
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
export async function brokenRules(url: string): Promise<readonly string[]> {
  const answer = (await get(`${url}/api/v1/rules`)) as {
    data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
  };
  return answer.data.groups
    .flatMap(({ rules }) => rules)
    .filter(({ health }) => health !== "ok")
    .map(({ name, health, lastError }) => [name, health, lastError].filter(Boolean).join(": "));
}
