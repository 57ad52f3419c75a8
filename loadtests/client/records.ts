import type { Kind } from "./options";

/** Why a planned request did not come out well; the place in this list is its code. */
export const reasons = [
  "status",
  "nonce",
  "body",
  "timeout",
  "refused",
  "connect",
  "tls",
  "reset",
  "closed",
  "protocol",
  "not-sent",
] as const;
/**
 * `status`: not the status expected. `nonce`: another request's answer. `body`: wrong text.
 * `timeout`: slower than allowed. `refused`, `connect`, `tls`: no connection. `reset`: the
 * connection was reset with the request on it. `closed`: it was closed before the whole answer
 * came. `protocol`: not HTTP. `not-sent`: planned, but this client could not keep up.
 */
export type Reason = (typeof reasons)[number];

/** Code of a request that came out well; a failure's is the index of its reason plus one. */
export const okCode = 0;
export const notSentCode = reasons.indexOf("not-sent") + 1;

/** One entry a planned request; the columns have equal length. */
export interface Records {
  /** When it was sent (for `not-sent`: planned), epoch ms. */
  readonly at: Float64Array;
  readonly latencyMs: Float32Array;
  /** Index into `kinds`. */
  readonly kind: Uint8Array;
  /** `okCode`, or the index of the reason plus one. */
  readonly code: Uint8Array;
}

/** A failed request in detail. */
export interface Sample {
  readonly at: number;
  readonly kind: Kind;
  readonly path: string;
  readonly reason: Reason;
  readonly detail: string;
  readonly latencyMs: number;
  readonly requestId?: string | undefined;
}

/** Records that grow, without an object a request. */
export class RecordLog {
  private size = 0;
  private at = new Float64Array(4096);
  private latencyMs = new Float32Array(4096);
  private kind = new Uint8Array(4096);
  private code = new Uint8Array(4096);

  add(at: number, latencyMs: number, kind: number, code: number): void {
    if (this.size === this.at.length) this.grow();
    this.at[this.size] = at;
    this.latencyMs[this.size] = latencyMs;
    this.kind[this.size] = kind;
    this.code[this.size] = code;
    this.size += 1;
  }

  /** A copy of what is there by now. */
  records(): Records {
    return {
      at: this.at.slice(0, this.size),
      latencyMs: this.latencyMs.slice(0, this.size),
      kind: this.kind.slice(0, this.size),
      code: this.code.slice(0, this.size),
    };
  }

  private grow(): void {
    const larger = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    const length = this.size * 2;
    this.at = larger(new Float64Array(length), this.at);
    this.latencyMs = larger(new Float32Array(length), this.latencyMs);
    this.kind = larger(new Uint8Array(length), this.kind);
    this.code = larger(new Uint8Array(length), this.code);
  }
}
