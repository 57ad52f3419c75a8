import { decodeToken, encodeToken } from "../database/gtid";
import { HttpProblem } from "./problems";

/** Header and cookie that carry what a reader must see. */
export const tokenHeader = "consistency-token";
const tokenCookie = "consistency";
/** Seconds after which every replica and every cached value includes a write. */
const tokenSeconds = 60;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * GTIDs that the caller must see: of its header, else of its cookie. Throws HttpProblem 400 for a
 * header that is no token; such a cookie is ignored, for a browser could not get rid of it.
 */
export function requiredToken(headers: Headers): string | undefined {
  const header = headers[tokenHeader];
  if (header !== undefined) {
    const gtids = typeof header === "string" ? decodeToken(header) : undefined;
    if (gtids === undefined) throw invalid("Consistency-Token", "a token that a write answered");
    return gtids;
  }
  const { cookie } = headers;
  const value = typeof cookie === "string" ? cookieValue(cookie, tokenCookie) : undefined;
  return value === undefined ? undefined : decodeToken(value);
}

function cookieValue(cookies: string, name: string): string | undefined {
  for (const cookie of cookies.split(";")) {
    const [key, value] = cookie.trim().split("=", 2);
    if (key === name) return value;
  }
  return undefined;
}

/** Headers of a write's answer. */
export function tokenHeaders(gtids: string): Record<string, string> {
  if (gtids === "") return {};
  const token = encodeToken(gtids);
  return {
    [tokenHeader]: token,
    "set-cookie": `${tokenCookie}=${token}; Path=/api; Max-Age=${tokenSeconds}; HttpOnly; SameSite=Lax`,
  };
}

/** The caller's key. Throws HttpProblem 400 for one that is not 1 to 100 visible characters. */
export function idempotencyKey(headers: Headers): string | undefined {
  const key = headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key !== "string" || !/^[!-~]{1,100}$/.test(key)) {
    throw invalid("Idempotency-Key", "1 to 100 visible ASCII characters");
  }
  return key;
}

/** Version of If-Match; undefined for none and for `*`. Throws HttpProblem 400 for anything else. */
export function ifMatch(headers: Headers): number | undefined {
  const value = headers["if-match"];
  if (value === undefined || value === "*") return undefined;
  const [, version] = typeof value === "string" ? (/^"(\d{1,15})"$/.exec(value) ?? []) : [];
  if (version === undefined) throw invalid("If-Match", 'the ETag of an answer, such as "3"');
  return Number(version);
}

const invalid = (header: string, allowed: string) =>
  new HttpProblem(400, "the request is not valid", {
    errors: [{ pointer: `/headers/${header}`, detail: `allowed: ${allowed}` }],
    outcome: "none",
  });
