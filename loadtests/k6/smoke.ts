// Does the stack do what it promises, once, over every way in?
import { check } from "k6";
import http from "k6/http";
import type { Options } from "k6/options";
import { commonOptions, freshNonce, paths, request, targets } from "./lib.ts";

export { summarise as handleSummary } from "./lib.ts";

export const options: Options = {
  ...commonOptions,
  scenarios: {
    smoke: { executor: "per-vu-iterations", vus: 1, iterations: 10, maxDuration: "60s" },
  },
  thresholds: { failed_requests: ["count==0"], checks: ["rate==1"] },
};

export default function smoke(): void {
  for (const origin of [targets.http, targets.https].filter((target) => target !== undefined)) {
    for (const spec of paths) {
      const response = request(origin, spec);
      check(response, {
        "HTTP/2 over TLS, HTTP/1.1 without": ({ proto }) =>
          proto === (origin === targets.https ? "HTTP/2.0" : "HTTP/1.1"),
      });
    }
    if (!__ENV.PATHS) basics(origin);
  }
}

/** What both sample applications promise beyond their greeting. */
function basics(origin: string): void {
  request(origin, { path: "/ping", nonce: "query", contains: '"message":"pong"' });
  request(origin, { path: "/slow?ms=100", contains: '"ms":100' });
  request(origin, {
    path: "/nothing-here",
    nonce: "none",
    status: 404,
    contains: "nothing is at this path",
  });

  const id = `smoke-${freshNonce()}`;
  const response = http.get(`${origin}/`, { headers: { "X-Request-ID": id }, redirects: 0 });
  check(response, {
    "answers are not stored": ({ headers }) => headers["Cache-Control"] === "no-store",
    "answers are JSON": ({ headers }) =>
      /^application\/json(;|$)/.test(headers["Content-Type"] ?? ""),
    "a request id comes back": ({ headers }) => Boolean(headers["X-Request-Id"]),
  });

  const refused = http.post(`${origin}/`, "x", {
    redirects: 0,
    responseCallback: http.expectedStatuses(405, 415),
  });
  check(refused, { "other methods are refused": ({ status }) => status === 405 || status === 415 });
}
