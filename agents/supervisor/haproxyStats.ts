export type ServerStatus = "UP" | "DOWN" | "DRAIN" | "NOLB" | "MAINT";

/** A server as HAProxy sees it. */
export interface Server {
  readonly backend: string;
  readonly server: string;
  readonly status: ServerStatus;
  readonly currentSessions: number;
  /** Last active check, for people: `L7OK/200 in 1ms`. */
  readonly check: string;
  /** False until the first active check has ended. */
  readonly checked: boolean;
}

const statuses: readonly ServerStatus[] = ["UP", "DOWN", "DRAIN", "NOLB", "MAINT"];

/** Fields of a CSV line; a quoted field may hold commas and doubled quotes. */
function fields(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}

/** `UP 1/2` is up and failing, `DOWN 1/2` down and recovering; `no check` counts as up. */
function statusOf(text: string): ServerStatus {
  const word = text.split(" ")[0] ?? "";
  return statuses.find((status) => status === word) ?? (text === "no check" ? "UP" : "DOWN");
}

/** The servers in HAProxy's answer to `show stat`. Throws where the answer is something else. */
export function parseShowStat(answer: string): Server[] {
  const [header, ...lines] = answer.trim().split("\n");
  if (!header?.startsWith("# pxname,")) {
    throw new Error(
      `show stat: found ${JSON.stringify(header?.slice(0, 40))}, wanted a CSV header`,
    );
  }
  const names = fields(header.slice(2));
  return lines.flatMap((line) => {
    const values = fields(line);
    const get = (name: string) => values[names.indexOf(name)] ?? "";
    // Type 2 is a server; frontends, backends and listeners have others.
    if (get("type") !== "2") return [];
    // A star says that a check is under way; the result shown is the last one's.
    const result = get("check_status").replace(/^\* /, "");
    const code = get("check_code");
    const duration = get("check_duration");
    return [
      {
        backend: get("pxname"),
        server: get("svname"),
        status: statusOf(get("status")),
        currentSessions: Number(get("scur")) || 0,
        check: `${result}${code ? `/${code}` : ""}${duration ? ` in ${duration}ms` : ""}`,
        checked: result !== "INI",
      },
    ];
  });
}
