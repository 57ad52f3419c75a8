/*
 * The property application as the ledger uses it: requests for writes and reads, and what their
 * answers mean.
 */
import { isBroken, type Incoming, type Outcome, type Outgoing } from "../client/connection";
import type { RowState, Write } from "./history";

const tokenHeader = "Consistency-Token";
const userAgent = { "User-Agent": "holdfast-ledger" };
const json = { ...userAgent, "Content-Type": "application/json" };
const path = "/api/property";

/** What a row of the ledger holds after its nth change: every column says the same. */
export function contentOf(marker: string, sequence: number) {
  return {
    title: marker,
    description: `change ${sequence} of ${marker}`,
    city: "Ledger",
    kind: "house",
    price: sequence,
    bedrooms: sequence % 10,
    area: sequence,
  } as const;
}

/** Number of the change that the columns show; undefined where they contradict each other. */
export function sequenceOf(marker: string, row: Readonly<Record<string, unknown>>) {
  const sequence = Number(row["price"]);
  const agrees = Object.entries(contentOf(marker, sequence)).every(
    ([column, value]) => String(row[column]) === String(value),
  );
  return agrees ? sequence : undefined;
}

export function createRequest(marker: string, key: string | undefined): Outgoing {
  return {
    method: "POST",
    path,
    headers: { ...json, ...(key !== undefined && { "Idempotency-Key": key }) },
    body: JSON.stringify(contentOf(marker, 1)),
  };
}

export function updateRequest(id: string, marker: string, sequence: number): Outgoing {
  const body = JSON.stringify(contentOf(marker, sequence));
  return { method: "PUT", path: `${path}/${id}`, headers: json, body };
}

export function removeRequest(id: string): Outgoing {
  return { method: "DELETE", path: `${path}/${id}`, headers: userAgent };
}

/** `token`: what the answer to a write gave, for a reader that must see that write. */
export function readRequest(id: string, token: string | undefined): Outgoing {
  return {
    path: `${path}/${id}`,
    headers: { ...userAgent, ...(token !== undefined && { [tokenHeader]: token }) },
  };
}

export interface JudgedWrite {
  readonly outcome: Exclude<Write["outcome"], "pending">;
  /** Of an acknowledged creation. */
  readonly id?: string;
  /** What a reader presents to see this write. */
  readonly token?: string;
  /** What the answer says and must not. */
  readonly contradiction?: string;
}

/** Reasons that mean that not even a connection was there: nothing was sent. */
const neverSent = new Set(["refused", "connect", "tls"]);

/** What came of a write that was to leave the row in state `after`. */
export function judgeWrite(
  kind: Write["kind"],
  marker: string,
  after: RowState,
  answer: Outcome,
): JudgedWrite {
  if (isBroken(answer)) return { outcome: neverSent.has(answer.reason) ? "refused" : "unknown" };
  const { status } = answer;
  if (status >= 400) return judgeRefusal(kind, answer);
  if (status !== { create: 201, update: 200, delete: 204 }[kind]) {
    return { outcome: "unknown", contradiction: `status ${status}` };
  }
  const token = answer.headers?.[tokenHeader.toLowerCase()];
  const common = {
    outcome: "acknowledged",
    ...(token !== undefined ? { token } : { contradiction: `no header ${tokenHeader}` }),
  } as const;
  if (kind === "delete") return common;
  const body = parse(answer.body);
  const id = body?.["id"];
  if (!body || sequenceOf(marker, body) !== after || typeof id !== "number") {
    return { ...common, contradiction: `the answer shows ${answer.body.slice(0, 300)}` };
  }
  return { ...common, id: String(id) };
}

function judgeRefusal(kind: Write["kind"], { status, body }: Incoming): JudgedWrite {
  const problem = parse(body);
  const done = problem?.["outcome"] === "unknown";
  // Somebody between may have sent a deletion twice; then the second finds nothing.
  if (kind === "delete" && status === 404) return { outcome: "unknown" };
  // The ledger sends nothing that is wrong, and nobody else changes its rows.
  if (status < 500 && status !== 409 && status !== 429) {
    return { outcome: "refused", contradiction: `status ${status}: ${body.slice(0, 300)}` };
  }
  return { outcome: (status < 500 || status === 503) && !done ? "refused" : "unknown" };
}

/** What a proper answer to a read shows; undefined where it is none. */
export function seenIn(
  marker: string,
  { status, body }: Incoming,
): { readonly state: RowState; readonly contradiction?: string } | undefined {
  const content = parse(body);
  if (!content) return undefined;
  // A server in between may have its own idea of what is not found.
  if (status === 404 && content["status"] === 404) return { state: undefined };
  if (status !== 200) return undefined;
  const state = sequenceOf(marker, content);
  if (state === undefined) {
    return { state, contradiction: `the answer shows ${body.slice(0, 300)}` };
  }
  return { state };
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
