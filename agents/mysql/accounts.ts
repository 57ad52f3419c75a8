/*
 * Brings the accounts of the database to what is configured, with as few statements as it takes:
 * none where nothing differs. Pure.
 */
import type { MysqlAccount } from "../../model/views";
import type { MemberReport, Peer } from "./state";

/** An account as it is. */
export interface AccountState {
  readonly exists: boolean;
  /** For each configured password, whether it is accepted now. */
  readonly accepted: readonly boolean[];
  /** A second password, older than the current one, is accepted. */
  readonly hasSecondary: boolean;
  /** Lines of SHOW GRANTS. */
  readonly grants: readonly string[];
}

/** A statement. Only `summary` may be logged: the text can hold a password. */
export interface Statement {
  readonly sql: string;
  readonly summary: string;
}

/** A string literal. */
export function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}

/** The account as SQL names it: accounts are good from every host, the firewall limits hosts. */
export function accountName({ name }: MysqlAccount): string {
  return `${quote(name)}@'%'`;
}

/** Statements that make the account as it is to be. */
export function accountStatements(account: MysqlAccount, state: AccountState): Statement[] {
  const { name, passwords } = account;
  const [current] = passwords;
  const stale =
    passwords.length === 1 && state.exists && (state.hasSecondary || state.accepted[0] !== true);
  return [
    ...admitStatements(account, state),
    // Set once more, lest it be the one that is discarded.
    ...(stale && current !== undefined
      ? [
          { sql: alterUser(account, current), summary: `${name}: password set` },
          {
            sql: `ALTER USER ${accountName(account)} DISCARD OLD PASSWORD`,
            summary: `${name}: older passwords discarded`,
          },
        ]
      : []),
    ...revokeStatements(account, state),
  ];
}

/**
 * Statements that make the account take its passwords and have its grants, and take nothing away.
 *
 * Passwords are set again all together, the older one first, whatever is there now. That ends in
 * the same state everywhere, also on a replica that differed, and at no moment is a password
 * refused that was accepted before and is to be accepted after.
 */
export function admitStatements(account: MysqlAccount, state: AccountState): Statement[] {
  const { name, passwords } = account;
  const oldestFirst = passwords.slice(0, 2).reverse();
  const [first] = oldestFirst;
  if (first === undefined) throw new Error(`account ${name}: no password is configured`);
  const admitted = state.exists && oldestFirst.every((_, index) => state.accepted[index] === true);
  const create = {
    sql: `CREATE USER ${accountName(account)} IDENTIFIED BY ${quote(first)}`,
    summary: `${name}: created`,
  };
  const add = (password: string): Statement => ({
    sql: `${alterUser(account, password)} RETAIN CURRENT PASSWORD`,
    summary: `${name}: password set, the one before is accepted too`,
  });
  return [
    ...(admitted
      ? []
      : state.exists
        ? oldestFirst.map(add)
        : [create, ...oldestFirst.slice(1).map(add)]),
    ...grantStatements(account, state),
  ];
}

function alterUser(account: MysqlAccount, password: string): string {
  return `ALTER USER ${accountName(account)} IDENTIFIED BY ${quote(password)}`;
}

/** `SELECT on app.*` and the like, one entry a privilege. */
type Privileges = ReadonlyMap<string, { readonly privilege: string; readonly object: string }>;

const grantPattern = /^(?:GRANT\s+)?(.+?)\s+ON\s+(\S+?)(?:\s+TO\s+.+)?$/i;

/** Privileges in what may stand after GRANT, or in a line of SHOW GRANTS. Throws at anything else. */
export function parseGrant(text: string): Privileges {
  const match = grantPattern.exec(text.trim());
  const [, list = "", target = ""] = match ?? [];
  const object = target.replaceAll("`", "");
  if (!match || /[()]/.test(list) || !/^[^.'"\s]+\.[^.'"\s]+$/.test(object)) {
    throw new Error(
      `grant: found ${JSON.stringify(text)}, allowed "PRIVILEGE, PRIVILEGE ON database.table"`,
    );
  }
  return new Map(
    list
      .split(",")
      .map((part) => part.trim().toUpperCase().replaceAll(/\s+/g, " "))
      .filter((privilege) => privilege !== "USAGE")
      .map((privilege) => [`${privilege} on ${object}`, { privilege, object }]),
  );
}

function privilegesOf(grants: readonly string[]): Privileges {
  return new Map(grants.flatMap((grant) => [...parseGrant(grant)]));
}

/** `app.*` as SQL wants it. */
function quotedObject(object: string): string {
  return object
    .split(".")
    .map((part) => (part === "*" ? part : `\`${part}\``))
    .join(".");
}

function grantStatements(account: MysqlAccount, { grants }: AccountState): Statement[] {
  const present = privilegesOf(grants);
  return [...privilegesOf(account.grants)]
    .filter(([key]) => !present.has(key))
    .map(([key, { privilege, object }]) => ({
      sql: `GRANT ${privilege} ON ${quotedObject(object)} TO ${accountName(account)}`,
      summary: `${account.name}: granted ${key}`,
    }));
}

function revokeStatements(account: MysqlAccount, { grants }: AccountState): Statement[] {
  const wanted = privilegesOf(account.grants);
  return [...privilegesOf(grants)]
    .filter(([key]) => !wanted.has(key))
    .map(([key, { privilege, object }]) => ({
      sql: `REVOKE ${privilege} ON ${quotedObject(object)} FROM ${accountName(account)}`,
      summary: `${account.name}: revoked ${key}`,
    }));
}

/**
 * May the primary bring the accounts to its own configuration? Not while a peer has a newer one: in
 * the middle of a rotation it would take back the password that the peer already uses.
 */
export function mayApply(generation: number, peers: readonly Peer[]): boolean {
  return peers.every(({ report }) => !report || report.generation <= generation);
}

/**
 * Are the accounts of this configuration in force, as far as this member can tell? While a primary
 * with an older configuration is at work they cannot be, which is nobody's fault.
 */
export function accountsInForce(self: MemberReport, peers: readonly Peer[]): boolean {
  if (self.database?.role === "PRIMARY") {
    return self.accountsApplied || !mayApply(self.generation, peers);
  }
  const primary = peers.find(({ report }) => report?.database?.role === "PRIMARY")?.report;
  return primary !== undefined && (primary.accountsApplied || primary.generation < self.generation);
}

/** Will every member, when this one connects to it, take the current password? */
export function mayPresentCurrent(self: MemberReport, peers: readonly Peer[]): boolean {
  const members = [self, ...peers.map(({ report }) => report)];
  return (
    members.every((member) => member && member.generation >= self.generation) &&
    members.some((member) => member?.database?.role === "PRIMARY" && member.accountsApplied)
  );
}
