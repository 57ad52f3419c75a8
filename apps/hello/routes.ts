/** Longest request target (path and query) in characters. */
export const maxUrlLength = 2048;
/** Largest request body in bytes. No route reads one; it is taken in and dropped. */
export const maxBodyBytes = 64 * 1024;
/** Longest nonce in characters. */
export const maxNonceLength = 128;
/** Longest answer time of `/slow` in ms. */
export const maxSlowMs = 15_000;

/** A request, as far as an answer depends on it. */
export interface Request {
  readonly method: string;
  /** Request target as sent: path and query. */
  readonly url: string;
  /** Header `X-Nonce`. */
  readonly nonce?: string | undefined;
}

/** What an answer depends on beside the request. */
export interface State {
  readonly greeting: string;
  readonly node: string;
  readonly draining: boolean;
}

export interface Answer {
  /** Bounded name for metrics: a path that exists, or `other`. */
  readonly route: string;
  readonly status: number;
  /** Sent as JSON; absent for `/metrics`, whose text comes from the registry. */
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Time in ms to wait before answering. */
  readonly delayMs?: number;
}

type Route = (
  query: URLSearchParams,
  state: State,
  nonce: string | undefined,
) => Omit<Answer, "route">;

const routes: Readonly<Record<string, Route>> = {
  "/": (_query, { greeting, node }, nonce) => ({
    status: 200,
    body: { message: greeting, node, nonce },
  }),
  "/ping": (_query, { node }, nonce) => ({ status: 200, body: { message: "pong", node, nonce } }),
  "/slow": (query, { node }, nonce) => {
    const text = query.get("ms") ?? "1000";
    const ms = Number(text);
    if (!/^\d+$/.test(text) || ms > maxSlowMs) {
      return failure(400, `ms: found ${JSON.stringify(text)}, allowed: 0 to ${maxSlowMs}`);
    }
    return { status: 200, body: { message: "slow", node, nonce, ms }, delayMs: ms };
  },
  "/healthz": (_query, { node }) => ({ status: 200, body: { status: "alive", node } }),
  // 404 and not 503: HAProxy's disable-on-404 then sends nothing new here, yet does not count the
  // node as failed and lets it finish what it holds.
  "/readyz": (_query, { node, draining }) =>
    draining
      ? { status: 404, body: { status: "draining", node } }
      : { status: 200, body: { status: "ready", node } },
  "/metrics": () => ({ status: 200 }),
};

/** Paths that machines poll; their access log lines are of level debug. */
export const polledRoutes: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

function failure(status: number, error: string, headers?: Record<string, string>) {
  return { status, body: { error }, ...(headers && { headers }) };
}

/** The answer to a request: status, body, and how long to wait before it is sent. */
export function answer(request: Request, state: State): Answer {
  if (request.url.length > maxUrlLength) {
    return {
      route: "other",
      ...failure(414, `the request target is longer than ${maxUrlLength} characters`),
    };
  }
  const [path = "", search = ""] = request.url.split(/\?(.*)/s);
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (!route) {
    const known = Object.keys(routes).join(", ");
    return { route: "other", ...failure(404, `nothing is at this path; known: ${known}`) };
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return {
      route: path,
      ...failure(405, `method ${request.method} is not allowed; allowed: GET, HEAD`, {
        Allow: "GET, HEAD",
      }),
    };
  }
  const query = new URLSearchParams(search);
  const nonce = query.get("nonce") ?? request.nonce;
  if (nonce !== undefined && nonce.length > maxNonceLength) {
    return {
      route: path,
      ...failure(400, `the nonce is longer than ${maxNonceLength} characters`),
    };
  }
  return { route: path, ...route(query, state, nonce) };
}

/** The caller's request id where it is a plain token of at most 128 characters, else `fallback()`. */
export function requestId(header: string | undefined, fallback: () => string): string {
  return header !== undefined && /^[\w.:-]{1,128}$/.test(header) ? header : fallback();
}
