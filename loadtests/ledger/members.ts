import { allowedStates, describeState, type Row, type RowState, type Violation } from "./history";

/** A row as a member of the database stores it. */
export interface StoredRow {
  readonly id: string;
  readonly marker: string;
  /** Number of the change that it shows; undefined where its columns contradict each other. */
  readonly sequence: number | undefined;
  /** The columns, for people. */
  readonly text: string;
}

/** What a member holds, read at a moment when all members had executed the same transactions. */
export interface MemberSnapshot {
  readonly rows: readonly StoredRow[];
  /** Table -> checksum of its content. */
  readonly checksums: Readonly<Record<string, string>>;
}

/**
 * Compares the ledger with what every member holds. Returns everything that must not be; empty
 * where every acknowledged write is on all members with its content, every refused one on none,
 * every unknown one on all or none, nothing twice, and all members hold the same.
 */
export function judgeMembers(
  rows: readonly Row[],
  snapshots: ReadonlyMap<string, MemberSnapshot | undefined>,
): Violation[] {
  const violations: Violation[] = [];
  const members = [...snapshots].flatMap(([name, snapshot]) => {
    if (snapshot) return [{ name, snapshot, stored: byMarker(snapshot.rows) }];
    violations.push({ kind: "member not read", subject: name, detail: "it was not read" });
    return [];
  });
  const known = new Set(rows.map(({ marker }) => marker));
  for (const { name, snapshot } of members) {
    for (const { marker, id } of snapshot.rows) {
      if (known.has(marker)) continue;
      const detail = `${name} has row ${id}, which the ledger never wrote`;
      violations.push({ kind: "unknown row", subject: marker, detail });
    }
  }
  for (const row of rows) {
    const states = new Map<string, RowState>();
    for (const { name, stored } of members) {
      const found = stored.get(row.marker) ?? [];
      violations.push(...judgeStored(row, name, found));
      states.set(name, found[0]?.sequence);
    }
    violations.push(...judgeStates(row, states));
  }
  violations.push(...judgeChecksums(members.map(({ name, snapshot }) => [name, snapshot])));
  return violations;
}

/** What is wrong with the copies of a row on one member, whatever the others hold. */
function judgeStored(row: Row, member: string, found: readonly StoredRow[]): Violation[] {
  const violations: Violation[] = [];
  const say = (kind: Violation["kind"], detail: string) =>
    violations.push({ kind, subject: row.marker, detail });
  if (found.length > 1) {
    const ids = found.map(({ id }) => id).join(", ");
    say("duplicate", `${member} has it ${found.length} times: rows ${ids}`);
  }
  for (const { id, sequence, text } of found) {
    if (sequence === undefined) say("wrong content", `${member} has row ${id} with ${text}`);
    if (row.id !== undefined && id !== row.id) {
      say("wrong id", `${member} has it as row ${id}, the application named it ${row.id}`);
    }
  }
  return violations;
}

/** What is wrong with the state of a row, member by member. */
function judgeStates(row: Row, states: ReadonlyMap<string, RowState>): Violation[] {
  const allowed = allowedStates(row);
  const violations: Violation[] = [];
  for (const [member, state] of states) {
    if (allowed.includes(state)) continue;
    const expected = allowed.map(describeState).join(" or ");
    violations.push({
      kind: kindOf(row, state),
      subject: row.marker,
      detail: `${member} has ${describeState(state)}, expected ${expected}; ${story(row)}`,
    });
  }
  if (new Set(states.values()).size > 1) {
    const each = [...states].map(([member, state]) => `${member} ${describeState(state)}`);
    violations.push({
      kind: "divergent members",
      subject: row.marker,
      detail: `${each.join(", ")}; ${story(row)}`,
    });
  }
  return violations;
}

function kindOf(row: Row, state: RowState): Violation["kind"] {
  const write = row.writes.findLast(({ after }) => after === state);
  if (write?.outcome === "refused") return "refused but stored";
  if (state !== undefined && !write) return "wrong content";
  const deleted = row.writes.some(
    ({ kind, outcome }) => kind === "delete" && outcome === "acknowledged",
  );
  return deleted ? "resurrected" : "lost";
}

/** The row's last writes, for people. */
function story({ writes }: Row): string {
  return writes
    .slice(-3)
    .map(({ kind, after, outcome, begun, detail }) => {
      const what = kind === "delete" ? kind : `${kind} (${describeState(after)})`;
      return `${what} at ${new Date(begun).toISOString()} ${outcome}${detail && `: ${detail}`}`;
    })
    .join("; ");
}

function judgeChecksums(members: readonly (readonly [string, MemberSnapshot])[]): Violation[] {
  const tables = new Set(members.flatMap(([, { checksums }]) => Object.keys(checksums)));
  return [...tables].sort().flatMap((table): Violation[] => {
    const sums = members.map(([name, { checksums }]) => [name, checksums[table]] as const);
    if (new Set(sums.map(([, sum]) => sum)).size <= 1) return [];
    const each = sums.map(([name, sum]) => `${name} ${sum ?? "has no such table"}`);
    return [{ kind: "checksum", subject: table, detail: each.join(", ") }];
  });
}

function byMarker(rows: readonly StoredRow[]): ReadonlyMap<string, readonly StoredRow[]> {
  const found = new Map<string, StoredRow[]>();
  for (const row of rows) {
    const same = found.get(row.marker);
    if (same) same.push(row);
    else found.set(row.marker, [row]);
  }
  return found;
}
