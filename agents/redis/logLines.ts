/* Log lines of Redis and Sentinel as JSON like all others. Pure. */

const levels: Readonly<Record<string, string>> = {
  ".": "debug",
  "-": "verbose",
  "*": "notice",
  "#": "warning",
};

/** `7:M 21 Nov 2026 07:44:47.123 * Ready to accept connections` */
const pattern = /^\d+:[A-Z] \d{1,2} \w{3} \d{4} [\d:.]+ ([.\-*#]) (.*)$/;

/** One line as an object for the log; undefined for an empty one. */
export function logLine(
  program: string,
  line: string,
  now: Date,
): Readonly<Record<string, string>> | undefined {
  const trimmed = line.trimEnd();
  if (trimmed === "") return undefined;
  const [, mark = "", message = trimmed] = pattern.exec(trimmed) ?? [];
  const level = levels[mark];
  return { time: now.toISOString(), program, message, ...(level && { level }) };
}
