import { STATUS_CODES } from "node:http";
import type { z } from "zod";
import type { problem } from "./schemas";

export type Problem = z.output<typeof problem>;
export type ProblemExtras = Partial<Pick<Problem, "errors" | "outcome">>;

/** Content type of RFC 9457. */
export const problemType = "application/problem+json; charset=utf-8";

/** An answer that is an error by intent. */
export class HttpProblem extends Error {
  override name = "HttpProblem";

  constructor(
    readonly status: number,
    readonly detail: string,
    readonly extras: ProblemExtras = {},
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
  }
}

/** The body of an error's answer. */
export function problemBody(status: number, detail: string, extras: ProblemExtras = {}): Problem {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail, ...extras };
}
