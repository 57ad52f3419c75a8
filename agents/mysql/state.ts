/*
 * What a member knows of itself and tells its peers, and what follows from it. Pure.
 */
import { z } from "zod";
import { emptyGtidSet, isEmpty, parseGtidSet, union, type GtidSet } from "./gtid";

export const memberStates = ["ONLINE", "RECOVERING", "OFFLINE", "ERROR", "UNREACHABLE"] as const;
export type MemberState = (typeof memberStates)[number];

export const memberRoles = ["PRIMARY", "SECONDARY"] as const;
export type MemberRole = (typeof memberRoles)[number];

const groupMember = z.object({
  /** UUID of its server: a member that begins with an empty disk has a new one. */
  id: z.string(),
  address: z.string(),
  state: z.enum(memberStates),
  /** Null while it has none. */
  role: z.enum(memberRoles).nullable(),
});

const database = z.object({
  id: z.string(),
  state: z.enum(memberStates),
  role: z.enum(memberRoles).nullable(),
  /** The group as this member sees it; of a member without a group only itself. */
  members: z.array(groupMember),
  /** GTID set of the transactions it has executed, and of those received but perhaps not executed. */
  executed: z.string(),
  received: z.string(),
  /** Transactions of others that wait to be executed here. */
  applyQueue: z.number(),
});

const report = z.object({
  node: z.string(),
  /** Time at which its agent started, in milliseconds since 1970. */
  startedAt: z.number(),
  /** Generation of the passwords that it was configured with. */
  generation: z.number(),
  /** blank: never in a group. started: began to form or join one. formed: was in one that served. */
  record: z.enum(["blank", "started", "formed"]),
  /** The operator asked here for the first start of the group. */
  bootstrapRequested: z.boolean(),
  /** It was told to stop. */
  stopping: z.boolean(),
  /** As the primary: the accounts are as configured. */
  accountsApplied: z.boolean(),
  /** Null while mysqld does not answer. */
  database: database.nullable(),
});

export type GroupMember = Readonly<z.output<typeof groupMember>>;
export type DatabaseReport = Readonly<z.output<typeof database>>;
export type MemberReport = Readonly<z.output<typeof report>>;
export type MemberRecord = MemberReport["record"];

/** The report in a peer's answer. Throws where the answer is something else. */
export function parseReport(answer: unknown): MemberReport {
  return report.parse(answer);
}

/** A peer and its latest report; undefined where it did not answer lately. */
export interface Peer {
  readonly node: string;
  readonly address: string;
  readonly report: MemberReport | undefined;
}

export function majority(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** Does it take part in a group, with or without a majority? */
export function inGroup({ state }: { readonly state: MemberState }): boolean {
  return state === "ONLINE" || state === "RECOVERING";
}

/** Is it in a group of which it reaches a majority? Such a group may accept writes. */
export function hasQuorum(own: DatabaseReport): boolean {
  const reached = own.members.filter(inGroup);
  return inGroup(own) && reached.length * 2 > own.members.length;
}

export function onlineMembers({ members }: DatabaseReport): number {
  return members.filter(({ state }) => state === "ONLINE").length;
}

/** Every transaction that it holds, executed or not. */
export function available({ executed, received }: DatabaseReport): GtidSet {
  return union(parseGtidSet(executed), parseGtidSet(received));
}

/** Has it never held anything, nor been in a group? */
export function isBlank({ record, database: own }: MemberReport): boolean {
  return record === "blank" && own !== null && isEmpty(available(own));
}

/** Transactions that at least one of the members holds. */
export function availableToAny(members: readonly DatabaseReport[]): GtidSet {
  return members.length === 0 ? emptyGtidSet : union(...members.map(available));
}
