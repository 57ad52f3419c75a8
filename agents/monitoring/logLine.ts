/* Log lines of Prometheus and its kin as JSON like all others. Pure. */

/** Keys under which the programs tell the time and the message; each has its own. */
const own = ["time", "ts", "msg", "message", "caller", "source", "program"];

/** One line as an object for the log; undefined for an empty one. */
export function logLine(
  program: string,
  line: string,
  now: Date,
): Readonly<Record<string, unknown>> | undefined {
  const text = line.trim();
  if (text === "") return undefined;
  const told = parsed(text);
  const rest = Object.entries(told).filter(([key]) => !own.includes(key));
  const level = told["level"];
  return {
    time: now.toISOString(),
    program,
    message: told["msg"] ?? text,
    ...Object.fromEntries(rest),
    ...(typeof level === "string" && { level: level.toLowerCase() }),
  };
}

/** What the program says in JSON; empty where it is something else. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
