import { check } from "k6";
import exec from "k6/execution";
import http, { type Params, type RefinedResponse } from "k6/http";
import { Counter } from "k6/metrics";
import type { Options } from "k6/options";
import {
  judge,
  leastSentShare,
  nonceHeader,
  pathsOf,
  timeoutMs,
  type PathSpec,
} from "../shared.ts";
import { joinThresholds, targetsOf, type StackOutputs } from "../stackOutputs.ts";

// k6 has it, its types do not.
declare const console: { error(message: string): void };

const outputsFile = __ENV.STACK_OUTPUTS;
if (!outputsFile) {
  throw new Error(
    "STACK_OUTPUTS is missing: -e STACK_OUTPUTS=<absolute path of `pulumi stack output --json`>",
  );
}

const outputs = JSON.parse(open(outputsFile)) as Partial<StackOutputs>;

/** Origins of the stack under load. */
export const targets = targetsOf(outputs, Number(__ENV.HTTPS_PORT || 443));

/** What is requested: the paths of `-e APP=hello|property`, or those of `-e PATHS=/,/shop`. */
export const paths: readonly PathSpec[] = __ENV.PATHS
  ? __ENV.PATHS.split(",").map((path) => ({ path, nonce: "none" }))
  : pathsOf[__ENV.APP === "property" ? "property" : "hello"];

/** Every request that failed, by tag `reason`. */
export const failedRequests = new Counter("failed_requests");

/** Options that all scenarios share. TLS is verified; SSL_CERT_FILE names the stack's CA. */
export const commonOptions: Options = {
  insecureSkipTLSVerify: false,
  noConnectionReuse: false,
  summaryTrendStats: ["avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
};

const run = Date.now().toString(36);

/** A value that no other request of this run carries. */
export function freshNonce(): string {
  return `${run}-${exec.vu.idInTest}-${exec.vu.iterationInScenario}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Sends one request and judges the answer. `close`: ask for a connection of its own. */
export function request(origin: string, spec: PathSpec, close = false): RefinedResponse<"text"> {
  const nonce = spec.nonce === "none" ? undefined : freshNonce();
  const query = nonce !== undefined && spec.nonce === "query";
  const url = `${origin}${spec.path}${query ? `?nonce=${nonce}` : ""}`;
  const params: Params & { responseType: "text" } = {
    timeout: timeoutMs,
    redirects: 0,
    responseType: "text",
    tags: { name: spec.path },
    headers: {
      ...(nonce !== undefined && !query && { [nonceHeader]: nonce }),
      ...(close && { Connection: "close" }),
    },
    ...(spec.status !== undefined && { responseCallback: http.expectedStatuses(spec.status) }),
  };
  const response = http.get(url, params);
  // Codes from 1400 to 1599 stand for statuses of 400 and more, the others for broken exchanges.
  const { status, error, error_code: code } = response;
  const broken = status === 0 || (code !== 0 && (code < 1400 || code >= 1600));
  const fault = broken
    ? { reason: "network", detail: `${error} (${code})` }
    : judge({ status, body: response.body }, nonce, spec);
  check(response, { "the answer is right": () => fault === undefined });
  if (fault) {
    failedRequests.add(1, { reason: fault.reason });
    console.error(`${exec.scenario.name} ${url}: ${fault.reason}: ${fault.detail}`);
  }
  return response;
}

/** Picks a path at random. */
export function anyPath(): PathSpec {
  return paths[Math.floor(Math.random() * paths.length)] as PathSpec;
}

/** Requests on connections that are kept alive, HTTP/1.1 without TLS. */
export function keptAlive(): void {
  request(targets.http ?? "", anyPath());
}

/** Each request on a connection of its own, HTTP/1.1 without TLS. */
export function newConnections(): void {
  const response = request(targets.http ?? "", anyPath(), true);
  check(response, {
    "the connection was new": ({ timings, status }) => status === 0 || timings.connecting > 0,
  });
}

/** HTTP/2 over TLS. */
export function http2(): void {
  const response = request(targets.https ?? "", anyPath());
  check(response, { "it was HTTP/2": ({ proto, status }) => status === 0 || proto === "HTTP/2.0" });
}

function positive(name: string, fallback: number): number {
  const value = Number(__ENV[name] || fallback);
  if (!(value > 0)) throw new Error(`${name}: found ${__ENV[name]}, allowed: a number above 0`);
  return value;
}

/**
 * Constant arrival rate over all kinds of connections that the stack offers. No request may fail,
 * and the stack's objectives hold. Environment: RATE (requests a second), DURATION (seconds).
 */
export function steadyOptions(rate: number, seconds: number): Options {
  const total = positive("RATE", rate);
  const duration = positive("DURATION", seconds);
  const shares: [exec: string, share: number][] = [
    ...(targets.http
      ? ([
          ["keptAlive", 5],
          ["newConnections", 2],
        ] as [string, number][])
      : []),
    ...(targets.https ? ([["http2", 3]] as [string, number][]) : []),
  ];
  const sum = shares.reduce((all, [, share]) => all + share, 0);
  const allowed = Math.floor(total * duration * (1 - leastSentShare));
  return {
    ...commonOptions,
    scenarios: Object.fromEntries(
      shares.map(([name, share]) => {
        const part = (total * share) / sum;
        return [
          name,
          {
            executor: "constant-arrival-rate" as const,
            exec: name,
            // Per minute, so that a small or broken rate is kept exactly enough.
            rate: Math.max(1, Math.round(part * 60)),
            timeUnit: "1m",
            duration: `${duration}s`,
            preAllocatedVUs: Math.max(4, Math.ceil(part * 0.2)),
            // Enough for a stack that lets every request run into its timeout.
            maxVUs: Math.max(10, Math.ceil((part * timeoutMs * 1.2) / 1000)),
            gracefulStop: `${timeoutMs / 1000 + 1}s`,
          },
        ];
      }),
    ),
    thresholds: joinThresholds(
      {
        failed_requests: ["count==0"],
        http_req_failed: ["rate==0"],
        checks: ["rate==1"],
        dropped_iterations: [`count<=${allowed}`],
      },
      outputs.slo ?? {},
    ),
  };
}

/** The summary as k6 hands it over; this much of it is used. */
export interface SummaryData {
  readonly metrics: Readonly<
    Record<string, { values: Record<string, number>; thresholds?: Record<string, { ok: boolean }> }>
  >;
  readonly state: { readonly testRunDurationMs: number };
}

/** Writes the summary to the file that SUMMARY names, and a few lines to the terminal. */
export function summarise(data: SummaryData): Record<string, string> {
  const value = (metric: string, key: string) => data.metrics[metric]?.values[key] ?? 0;
  const text = [
    `requests ${value("http_reqs", "count")} (${value("http_reqs", "rate").toFixed(1)}/s), failed ${value("failed_requests", "count")}, not sent ${value("dropped_iterations", "count")}`,
    `duration p50 ${value("http_req_duration", "med").toFixed(1)} ms, p95 ${value("http_req_duration", "p(95)").toFixed(1)} ms, p99 ${value("http_req_duration", "p(99)").toFixed(1)} ms, max ${value("http_req_duration", "max").toFixed(1)} ms`,
    ...Object.entries(data.metrics).flatMap(([metric, { thresholds = {} }]) =>
      Object.entries(thresholds).map(
        ([threshold, { ok }]) => `${ok ? "passed" : "FAILED"}: ${metric} ${threshold}`,
      ),
    ),
  ].join("\n");
  return {
    stdout: `${text}\n`,
    ...(__ENV.SUMMARY && { [__ENV.SUMMARY]: JSON.stringify(data, undefined, 2) }),
  };
}
