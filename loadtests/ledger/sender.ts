import {
  isBroken,
  type Connection,
  type Incoming,
  type Outcome,
  type Outgoing,
} from "../client/connection";
import { Http1Connection } from "../client/http1";
import type { Target } from "../client/options";

/**
 * Sends single requests over HTTP/1.1 and never one twice: over kept-alive connections, every
 * fourth over a new one, over all targets in turn.
 */
export class Sender {
  private readonly idle = new Map<Target, Connection[]>();
  private readonly open = new Set<Connection>();
  private sent = 0;

  constructor(
    private readonly targets: readonly Target[],
    private readonly timeoutMs: number,
  ) {}

  /** Resolves with the answer, or with why there is none; never rejects. */
  send(request: Outgoing): Promise<Outcome> {
    this.sent += 1;
    const once = this.sent % 4 === 0;
    const target = this.targets[this.sent % this.targets.length];
    if (!target) throw new Error("the ledger has no target");
    const connection = once ? this.connect(target) : this.kept(target);
    const headers = { ...request.headers, ...(once && { Connection: "close" }) };
    return new Promise((resolve) => {
      const finish = (outcome: Outcome) => {
        clearTimeout(timer);
        this.release(target, connection, once || isBroken(outcome));
        resolve(outcome);
      };
      // After a stall of this process an answer may be waiting to be read: that comes first.
      const timer = setTimeout(() => setImmediate(giveUp), this.timeoutMs);
      const giveUp = () => {
        cancel();
        finish({ reason: "timeout", detail: `no complete answer within ${this.timeoutMs} ms` });
      };
      const cancel = connection.send({ ...request, headers }, finish);
    });
  }

  close(): void {
    for (const connection of this.open) connection.destroy();
    this.open.clear();
    this.idle.clear();
  }

  private kept(target: Target): Connection {
    const idle = this.idle.get(target) ?? [];
    for (;;) {
      const connection = idle.shift();
      if (!connection) return this.connect(target);
      if (connection.usable) return connection;
      this.open.delete(connection);
    }
  }

  private connect(target: Target): Connection {
    const connection = new Http1Connection(target);
    this.open.add(connection);
    return connection;
  }

  private release(target: Target, connection: Connection, done: boolean): void {
    if (done || !connection.usable) {
      connection.destroy();
      this.open.delete(connection);
      return;
    }
    const idle = this.idle.get(target);
    if (idle) idle.push(connection);
    else this.idle.set(target, [connection]);
  }
}

/** A short text on what came of a request, for people. */
export function describeOutcome(outcome: Outcome): string {
  if (isBroken(outcome)) return `${outcome.reason}: ${outcome.detail}`;
  const { status, body, requestId } = outcome satisfies Incoming;
  const text = body.replace(/\s+/g, " ").slice(0, 160);
  return `status ${status}: ${text}${requestId ? ` (request id ${requestId})` : ""}`;
}
