import type { IncomingMessage } from "node:http";
import { finished } from "node:stream/promises";

/**
 * Resolves when the whole body has come or its sender has left, and reads what nobody else reads.
 *
 * An answer waits for this: a proxy that still sends the body when the answer comes and the
 * connection closes meets a reset, and tells its client 502. The server's request timeout bounds it.
 */
export async function bodyEnd(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  request.resume();
  await finished(request).catch(() => undefined);
}
