/** What `make up` ends with: where the stack is and what to do next. */
export function afterUp(stack: string, outputs: Readonly<Record<string, unknown>>): string {
  const { url } = outputs;
  return [
    "",
    `stack ${stack} is up`,
    ...(typeof url === "string" ? [`  url:   ${url}`, `  try:   curl ${url}/`] : []),
    `  load:  make load SCENARIO=smoke STACK=${stack}`,
    `  down:  make down STACK=${stack}`,
  ].join("\n");
}

/** Why the stack's URL cannot be used from this computer; undefined where it answers. */
export async function urlProblem(url: string): Promise<string | undefined> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(5000), redirect: "manual" });
    return undefined;
  } catch {
    return `nothing answers ${url} from this computer: the stack is in service as its load balancers see it, but there is no route to its network from here (Docker Desktop has none), or a firewall is in between`;
  }
}
