import type { Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { ReadinessGate } from "./readiness";

/**
 * Leaves service: readiness fails at once while everything is still answered for `drainMs`, then
 * the listener closes and requests in flight get `finishMs`. Resolves to true where none had to be
 * cut.
 */
export async function drain(
  server: Server,
  readiness: ReadinessGate,
  times: { readonly drainMs: number; readonly finishMs: number },
  log: Logger,
): Promise<boolean> {
  readiness.drain();
  log.info({ drainMs: times.drainMs }, "draining: not ready any more, still serving");
  await delay(times.drainMs);
  log.info("listener closed, finishing what is in flight");
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.closeAllConnections();
      resolve(false);
    }, times.finishMs);
    server.close(() => {
      clearTimeout(timer);
      resolve(true);
    });
    server.closeIdleConnections();
  });
}
