import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  accountsInForce,
  accountStatements,
  admitStatements,
  mayApply,
  mayPresentCurrent,
  parseGrant,
  quote,
  type AccountState,
} from "../../agents/mysql/accounts";
import type { MemberReport, Peer } from "../../agents/mysql/state";
import type { MysqlAccount } from "../../model/views";

const account = (passwords: readonly string[], grants: readonly string[] = []): MysqlAccount => ({
  name: "app",
  passwords,
  grants,
});

/** An account as the server keeps it. */
interface Kept {
  current: string;
  secondary: string | undefined;
  privileges: Set<string>;
}

/** The server's side of the statements, as its manual describes it. */
class Server {
  kept: Kept | undefined;
  /** Passwords that were refused between two statements. */
  readonly gaps: string[] = [];

  constructor(kept?: Partial<Kept>) {
    this.kept = kept && { current: "?", secondary: undefined, privileges: new Set(), ...kept };
  }

  accepts(password: string): boolean {
    return this.kept?.current === password || this.kept?.secondary === password;
  }

  state({ passwords }: MysqlAccount): AccountState {
    return {
      exists: this.kept !== undefined,
      accepted: passwords.map((password) => this.accepts(password)),
      hasSecondary: this.kept?.secondary !== undefined,
      grants: [
        "GRANT USAGE ON *.* TO `app`@`%`",
        ...[...(this.kept?.privileges ?? [])].map((privilege) => {
          const [name, object] = privilege.split(" on ");
          return `GRANT ${name} ON ${object} TO \`app\`@\`%\``;
        }),
      ],
    };
  }

  /** Runs statements; notes which of `watched` were refused after one of them. */
  run(statements: readonly { sql: string }[], watched: readonly string[] = []): void {
    for (const { sql } of statements) {
      this.one(sql);
      this.gaps.push(...watched.filter((password) => !this.accepts(password)));
    }
  }

  private one(sql: string): void {
    const identified =
      /^(CREATE|ALTER) USER 'app'@'%' IDENTIFIED BY '([^']*)'( RETAIN CURRENT PASSWORD)?$/.exec(
        sql,
      );
    const grant = /^(GRANT|REVOKE) (.+) ON (\S+) (?:TO|FROM) 'app'@'%'$/.exec(sql);
    if (identified?.[1] === "CREATE") {
      expect(this.kept).toBeUndefined();
      this.kept = { current: identified[2]!, secondary: undefined, privileges: new Set() };
    } else if (identified) {
      const kept = this.kept!;
      if (identified[3]) kept.secondary = kept.current;
      kept.current = identified[2]!;
    } else if (sql === "ALTER USER 'app'@'%' DISCARD OLD PASSWORD") {
      this.kept!.secondary = undefined;
    } else if (grant) {
      const key = `${grant[2]} on ${grant[3]!.replaceAll("`", "")}`;
      if (grant[1] === "GRANT") this.kept!.privileges.add(key);
      else expect(this.kept!.privileges.delete(key)).toBe(true);
    } else {
      throw new Error(`unknown statement ${sql}`);
    }
  }
}

describe("accounts", () => {
  it("are made with both passwords", () => {
    const wanted = account(["new", "old"], ["SELECT ON `app`.*"]);
    expect(accountStatements(wanted, new Server().state(wanted)).map(({ sql }) => sql)).toEqual([
      "CREATE USER 'app'@'%' IDENTIFIED BY 'old'",
      "ALTER USER 'app'@'%' IDENTIFIED BY 'new' RETAIN CURRENT PASSWORD",
      "GRANT SELECT ON `app`.* TO 'app'@'%'",
    ]);
  });

  it("are left alone where nothing differs", () => {
    const wanted = account(["new", "old"], ["SELECT, INSERT ON `app`.*", "PROCESS ON *.*"]);
    const server = new Server({ current: "new", secondary: "old" });
    server.kept!.privileges = new Set(["SELECT on app.*", "INSERT on app.*", "PROCESS on *.*"]);
    expect(accountStatements(wanted, server.state(wanted))).toEqual([]);
  });

  const passwords = fc.constantFrom("p1", "p2", "p3", "other");
  const privileges = fc
    .subarray(["SELECT on app.*", "INSERT on app.*", "PROCESS on *.*", "SELECT on *.*"])
    .map((list) => new Set(list));
  const servers = fc.option(
    fc.record({
      current: passwords,
      secondary: fc.option(passwords, { nil: undefined }),
      privileges,
    }),
    { nil: undefined },
  );
  const wanteds = fc
    .record({
      list: fc.uniqueArray(fc.constantFrom("p1", "p2", "p3"), { minLength: 1, maxLength: 2 }),
      privileges,
    })
    .map(({ list, privileges: set }) =>
      account(
        list,
        [...set].map((privilege) => privilege.replace(" on ", " ON ")),
      ),
    );
  const copy = (kept: Kept | undefined) =>
    new Server(kept && { ...kept, privileges: new Set(kept.privileges) });

  it("end as configured whatever they were, and stay so", () => {
    fc.assert(
      fc.property(servers, wanteds, (kept, wanted) => {
        const server = copy(kept);
        server.run(accountStatements(wanted, server.state(wanted)));
        const { current, secondary, privileges: left } = server.kept!;
        expect(new Set([current, secondary])).toEqual(new Set([...wanted.passwords, secondary]));
        expect(secondary === undefined).toBe(wanted.passwords.length === 1);
        expect(left).toEqual(new Set(wanted.grants.map((grant) => grant.replace(" ON ", " on "))));
        expect(accountStatements(wanted, server.state(wanted))).toEqual([]);
      }),
    );
  });

  it("end in the same state on a replica that was different", () => {
    fc.assert(
      fc.property(servers, servers, wanteds, (here, there, wanted) => {
        fc.pre(here !== undefined && there !== undefined);
        const primary = copy(here);
        const replica = copy(there);
        const statements = admitStatements(wanted, primary.state(wanted)).filter(({ sql }) =>
          sql.includes("USER"),
        );
        fc.pre(statements.length > 0 && wanted.passwords.length === 2);
        primary.run(statements);
        replica.run(statements);
        expect(replica.kept!.current).toBe(primary.kept!.current);
        expect(replica.kept!.secondary).toBe(primary.kept!.secondary);
      }),
    );
  });

  it("refuse nobody in a rotation, whichever password is which now", () => {
    const before = fc.constantFrom<Partial<Kept>>(
      { current: "p1" },
      { current: "p1", secondary: "p0" },
      { current: "p1", secondary: "p1" },
    );
    fc.assert(
      fc.property(before, (kept) => {
        const server = new Server(kept);
        const rotated = account(["p2", "p1"]);
        server.run(accountStatements(rotated, server.state(rotated)), ["p1"]);
        const settled = account(["p2"]);
        server.run(accountStatements(settled, server.state(settled)), ["p2"]);
        expect(server.gaps).toEqual([]);
        expect(server.kept).toMatchObject({ current: "p2", secondary: undefined });
      }),
    );
  });

  it("lose nothing where a member only prepares to join", () => {
    const server = new Server({ current: "new", secondary: "old" });
    server.kept!.privileges = new Set(["SELECT on *.*"]);
    const older = account(["old"]);
    expect(admitStatements(older, server.state(older))).toEqual([]);
    const unknown = account(["new"]);
    const stale = new Server({ current: "old" });
    stale.run(admitStatements(unknown, stale.state(unknown)));
    expect(stale.kept).toMatchObject({ current: "new", secondary: "old" });
  });

  it("are not told by their passwords", () => {
    const wanted = account(["s3cret-new", "s3cret-old"], ["SELECT ON app.*"]);
    const server = new Server({ current: "x", secondary: "y" });
    const one = account(["s3cret-new"]);
    for (const { summary } of [
      ...accountStatements(wanted, server.state(wanted)),
      ...accountStatements(one, server.state(one)),
      ...accountStatements(wanted, new Server().state(wanted)),
    ]) {
      expect(summary).not.toContain("s3cret");
    }
  });

  it("need a password", () => {
    expect(() => accountStatements(account([]), new Server().state(account([])))).toThrow(
      "account app: no password is configured",
    );
  });

  it("have their passwords quoted", () => {
    expect(quote(String.raw`it's \n`)).toBe(String.raw`'it\'s \\n'`);
  });
});

describe("grants", () => {
  it.each([
    ["SELECT, INSERT ON `app`.*", ["SELECT on app.*", "INSERT on app.*"]],
    ["GRANT SELECT ON `app`.* TO `app`@`%`", ["SELECT on app.*"]],
    ["GRANT USAGE ON *.* TO `app`@`%`", []],
    ["ALL PRIVILEGES ON app.*", ["ALL PRIVILEGES on app.*"]],
    ["replication  slave ON *.*", ["REPLICATION SLAVE on *.*"]],
    [
      "GRANT BACKUP_ADMIN,CONNECTION_ADMIN ON *.* TO `replication`@`%`",
      ["BACKUP_ADMIN on *.*", "CONNECTION_ADMIN on *.*"],
    ],
  ])("%s", (text, privileges) => {
    expect([...parseGrant(text).keys()]).toEqual(privileges);
  });

  it.each(["SELECT", "SELECT (id) ON app.users", "PROXY ON ''@'' TO 'x'@'%'", "`role`@`%`"])(
    "refuse %s",
    (text) => {
      expect(() => parseGrant(text)).toThrow("grant: found");
    },
  );
});

describe("a rotation across members", () => {
  const report = (
    node: string,
    generation: number,
    change: { primary?: boolean; accountsApplied?: boolean } = {},
  ): MemberReport => ({
    node,
    startedAt: 0,
    generation,
    record: "formed",
    bootstrapRequested: false,
    stopping: false,
    accountsApplied: change.accountsApplied ?? false,
    database: {
      id: node,
      state: "ONLINE",
      role: change.primary ? "PRIMARY" : "SECONDARY",
      members: [],
      executed: "",
      received: "",
      applyQueue: 0,
    },
  });
  const peers = (...reports: (MemberReport | undefined)[]): Peer[] =>
    reports.map((value, index) => ({
      node: value?.node ?? `silent-${index}`,
      address: "",
      report: value,
    }));

  it("is not taken back by a primary with an older configuration", () => {
    expect(mayApply(1, peers(report("b", 2), undefined))).toBe(false);
    expect(mayApply(2, peers(report("b", 1), report("c", 2), undefined))).toBe(true);
  });

  it("is in force once the primary has applied it", () => {
    const primary = report("b", 2, { primary: true, accountsApplied: true });
    expect(accountsInForce(report("a", 2), peers(primary))).toBe(true);
    expect(accountsInForce(report("a", 2), peers({ ...primary, accountsApplied: false }))).toBe(
      false,
    );
    expect(accountsInForce(report("a", 2), peers(undefined))).toBe(false);
    expect(accountsInForce(primary, [])).toBe(true);
    expect(accountsInForce({ ...primary, accountsApplied: false }, [])).toBe(false);
  });

  it("holds nobody up while it is the older primary's turn", () => {
    const primary = report("b", 1, { primary: true });
    expect(accountsInForce(report("a", 2), peers(primary))).toBe(true);
    expect(accountsInForce(primary, peers(report("a", 2)))).toBe(true);
  });

  it("has members present the new password when all of them take it", () => {
    const primary = report("b", 2, { primary: true, accountsApplied: true });
    expect(mayPresentCurrent(report("a", 2), peers(primary, report("c", 2)))).toBe(true);
    expect(mayPresentCurrent(primary, peers(report("a", 2), report("c", 2)))).toBe(true);
    expect(mayPresentCurrent(report("a", 2), peers(primary, report("c", 1)))).toBe(false);
    expect(mayPresentCurrent(report("a", 2), peers(primary, undefined))).toBe(false);
    expect(mayPresentCurrent(report("a", 2), peers({ ...primary, accountsApplied: false }))).toBe(
      false,
    );
  });
});
