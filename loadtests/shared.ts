// Read by the k6 scripts too, which run in k6's own JavaScript engine: no imports in this file.

/** A request slower than this, in ms, has failed. */
export const timeoutMs = 5000;
/** At least this share of the planned requests must be sent. */
export const leastSentShare = 0.99;
/** Planned requests a second where nothing else is said. */
export const defaultRate = 300;
/** Duration of scenario `steady` in s where nothing else is said. */
export const defaultDurationSeconds = 60;
/** Header whose value comes back in the body, so that no cache can hide behind an old answer. */
export const nonceHeader = "X-Nonce";

/** How an answer must look. */
export interface Expectation {
  /** The only status allowed; absent: any below 400. */
  readonly status?: number;
  /** Text that the body must contain. */
  readonly contains?: string;
  /** Regular expression that the body must match. */
  readonly matches?: string;
}

/** A path that is requested, and how its answers must look. */
export interface PathSpec extends Expectation {
  readonly path: string;
  /** Share among all paths. Default 1. */
  readonly weight?: number;
  /** How the nonce travels: header `X-Nonce`, query `nonce`, or not at all. Default `header`. */
  readonly nonce?: "header" | "query" | "none";
  /** Regular expression with one group; answers are counted by what the group holds. */
  readonly tally?: string;
}

const nodeName = '"node":"([^"]*)"';

/** What the hello application is asked. */
export const helloPaths: readonly PathSpec[] = [
  { path: "/ping", contains: '"message":"pong"', tally: nodeName },
  { path: "/", matches: '"message":"[^"]', tally: nodeName },
];

/** What the property application is asked, filled with its sample rows (`seed --rows 10000` or more). */
export const propertyPaths: readonly PathSpec[] = [
  { path: "/ping", contains: '"message":"pong"', tally: nodeName },
  ...[1, 2, 3, 500, 7000, 9999].map((id) => ({
    path: `/api/property/${id}`,
    contains: `{"id":${id},`,
  })),
  ...[
    "limit=20",
    "city=Berlin&limit=20",
    "kind=house&sort=newest&limit=20",
    "city=Berlin&kind=apartment&limit=20",
    "city=Vienna&kind=apartment&minPrice=200000&maxPrice=600000&minBedrooms=2",
    "city=Oslo&minPrice=200000&sort=-price",
  ].map((query) => ({ path: `/api/property?${query}`, contains: '{"items":[{"id":' })),
];

/** Sample applications and what they are asked. */
export const pathsOf = { hello: helloPaths, property: propertyPaths } as const;
export type Application = keyof typeof pathsOf;
export const applications = Object.keys(pathsOf) as Application[];

/** Why an answer counts as a failed request. */
export interface Fault {
  readonly reason: "status" | "nonce" | "body";
  readonly detail: string;
}

/** Judges a complete answer; undefined where it is as it must be. `nonce` undefined: none was sent. */
export function judge(
  answer: { readonly status: number; readonly body: string },
  nonce: string | undefined,
  expected: Expectation,
): Fault | undefined {
  const { status, body } = answer;
  if (expected.status === undefined ? status >= 400 : status !== expected.status) {
    return { reason: "status", detail: `status ${status}: ${shorten(body)}` };
  }
  if (nonce !== undefined && !body.includes(nonce)) {
    return { reason: "nonce", detail: `nonce ${nonce} is not in the answer: ${shorten(body)}` };
  }
  if (expected.contains !== undefined && !body.includes(expected.contains)) {
    return {
      reason: "body",
      detail: `${expected.contains} is not in the answer: ${shorten(body)}`,
    };
  }
  if (expected.matches !== undefined && !new RegExp(expected.matches).test(body)) {
    return {
      reason: "body",
      detail: `the answer does not match ${expected.matches}: ${shorten(body)}`,
    };
  }
  return undefined;
}

/** The first 160 characters on one line. */
export function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 160 ? `${line.slice(0, 160)}...` : line || "(empty)";
}
