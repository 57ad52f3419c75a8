import { destination, pino, stdTimeFunctions, type Logger } from "pino";

/**
 * JSON lines on stdout. Written together, at the latest after a quarter of a second and when the
 * program exits, and never waited for: requests do not stand still while nobody takes the log.
 */
export function createLog(program: string, node: string, level = "info"): Logger {
  const options = {
    level,
    base: { program, node },
    messageKey: "message",
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 250 }));
}
