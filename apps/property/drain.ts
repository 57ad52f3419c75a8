import type { Server as HttpServer } from "node:http";
import type { Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { closeAll } from "../tls";
import type { ReadinessGate } from "./readiness";

/**
 * Leaves service: readiness fails at once while everything is still answered for `drainMs`, then
 * the listeners close and requests in flight get `finishMs`. Resolves to true where none had to be
 * cut. `secure` is the port of TLS, where there is one.
 */
export async function drain(
  server: HttpServer,
  secure: Server | undefined,
  readiness: ReadinessGate,
  times: { readonly drainMs: number; readonly finishMs: number },
  log: Logger,
): Promise<boolean> {
  readiness.drain();
  log.info({ drainMs: times.drainMs }, "draining: not ready any more, still serving");
  await delay(times.drainMs);
  log.info("listener closed, finishing what is in flight");
  return !(await closeAll(server, secure, times.finishMs));
}
