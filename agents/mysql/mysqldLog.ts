/** A line of mysqld's error log as an entry of the node's log. Pure. */
export function mysqldLogEntry(line: string, now: Date): Record<string, string> | undefined {
  if (line.trim() === "") return undefined;
  const match = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) \d+ \[(\w+)\] \[(MY-\d+)\] \[(\w+)\] (.*)$/.exec(line);
  const [, time, level, code, subsystem, message] = match ?? [];
  return {
    time: time ?? now.toISOString(),
    program: "mysqld",
    message: message ?? line,
    ...(level && code && subsystem && { level: level.toLowerCase(), code, subsystem }),
  };
}
