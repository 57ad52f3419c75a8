/*
 * What a member does about its group, from what it knows of itself and what its peers say. Pure.
 *
 * A group that began twice would be two databases. So the first start needs the operator's request
 * and every member's word that it is blank; a start after a complete outage needs every member's
 * word that it is in no group, and happens on the one that holds all transactions of all others.
 * Whatever these rules do not cover waits for the operator.
 */
import { contains, count, formatGtidSet, isEmpty, subtract } from "./gtid";
import {
  available,
  availableToAny,
  hasQuorum,
  inGroup,
  isBlank,
  majority,
  type DatabaseReport,
  type MemberReport,
  type Peer,
} from "./state";

export interface Situation {
  readonly address: string;
  readonly self: MemberReport;
  readonly peers: readonly Peer[];
  /** The operator chose this member to go on without the others. */
  readonly forced: boolean;
}

export type Decision =
  /** In a group that has its majority. */
  | { readonly kind: "stay"; readonly reason: string }
  | { readonly kind: "wait"; readonly reason: string; readonly forming?: true }
  /** The rules do not say what is right: the operator must choose. */
  | { readonly kind: "ask"; readonly reason: string }
  /**
   * Be in no group. `alone`: there is no majority to take leave of. Group Replication would try for
   * half a minute; a new start of mysqld is quicker.
   */
  | { readonly kind: "leave"; readonly reason: string; readonly alone: boolean }
  | {
      readonly kind: "join";
      readonly reason: string;
      /** Addresses of the members to join. */
      readonly members: readonly string[];
      /** It holds nothing yet: a copy of another member's data is the quick way. */
      readonly blank: boolean;
    }
  /** Start the group with this member as its first. */
  | {
      readonly kind: "bootstrap";
      readonly how: "first" | "reboot" | "forced";
      readonly reason: string;
    };

const wait = (reason: string): Decision => ({ kind: "wait", reason });
const ask = (reason: string): Decision => ({ kind: "ask", reason });
const leaveAlone = (reason: string): Decision => ({ kind: "leave", reason, alone: true });

/** A peer whose mysqld answers. */
interface Known {
  readonly node: string;
  readonly address: string;
  readonly report: MemberReport;
  readonly database: DatabaseReport;
}

const names = (members: readonly { readonly node: string }[]): string =>
  members.map(({ node }) => node).join(", ");

export function decide(situation: Situation): Decision {
  const { self, peers } = situation;
  const own = self.database;
  if (self.stopping) return wait("told to stop");
  if (!own) return wait("mysqld does not answer yet");
  const known = peers.flatMap(({ node, address, report }): Known[] =>
    report?.database ? [{ node, address, report, database: report.database }] : [],
  );
  if (inGroup(own)) {
    return hasQuorum(own)
      ? { kind: "stay", reason: `${own.state} in a group with a majority` }
      : withoutMajority(situation, own, known);
  }
  const groups = known.filter(({ database }) => hasQuorum(database));
  if (own.state === "ERROR") {
    const reason = "the group expelled it, or it lost the majority";
    return { kind: "leave", reason, alone: groups.length === 0 };
  }
  if (groups.length > 0) return joinOne(situation, own, groups);
  return situation.forced ? force(self, own, known) : startOne(situation, own, known);
}

/** In a group that lost its majority: nothing is accepted. Is there hope that it comes back? */
function withoutMajority(
  { self, peers, forced }: Situation,
  own: DatabaseReport,
  known: readonly Known[],
): Decision {
  if (forced) return leaveAlone("the operator chose to go on without the others");
  const without = known.find(
    ({ database }) => hasQuorum(database) && !database.members.some(({ id }) => id === own.id),
  );
  if (without) return leaveAlone(`${without.node} is in a group that went on without it`);
  const silent = peers.filter(({ report }) => !report?.database);
  if (silent.length > 0) return wait(`no majority, ${names(silent)} does not answer`);
  const inside = known.filter(
    ({ database }) => inGroup(database) && database.members.some(({ id }) => id === own.id),
  );
  return (inside.length + 1) * 2 <= own.members.length
    ? leaveAlone("those who made the majority have left the group")
    : wait(`no majority, ${self.node} waits to reach ${names(inside)}`);
}

/** Others are in a group with a majority. */
function joinOne(
  { address, self }: Situation,
  own: DatabaseReport,
  groups: readonly Known[],
): Decision {
  const apart = groups.some((one) =>
    groups.some((other) => !sees(one, other) && !sees(other, one)),
  );
  if (apart) return ask(`there are two groups: ${names(groups)} do not see each other`);
  const holder = groups.find(({ database }) =>
    database.members.some((member) => member.address === address),
  );
  if (holder) return wait(`${holder.node} still counts its previous run as a member`);
  const donors = groups.filter(({ database }) => database.state === "ONLINE");
  if (donors.length === 0) return wait(`${names(groups)} is in a group but not ONLINE yet`);
  const extra = subtract(available(own), availableToAny(donors.map(({ database }) => database)));
  if (!isEmpty(extra)) {
    return ask(
      `holds ${count(extra)} transactions that the group lacks (${formatGtidSet(extra)}): save them, then replace its disk`,
    );
  }
  return {
    kind: "join",
    reason: `${names(donors)} is in a group with a majority`,
    members: donors.map((donor) => donor.address),
    blank: isBlank(self),
  };
}

const sees = (one: Known, other: Known): boolean =>
  one.database.members.some(({ id }) => id === other.database.id);

/** The operator's choice. It goes past silent members and lost transactions, not past a group. */
function force(self: MemberReport, own: DatabaseReport, known: readonly Known[]): Decision {
  const holders = known.filter(({ database }) => !isEmpty(available(database)));
  if (isEmpty(available(own)) && holders.length > 0) {
    return ask(`holds nothing while ${names(holders)} does: force that one instead`);
  }
  return {
    kind: "bootstrap",
    how: "forced",
    reason: `the operator chose ${self.node} to go on`,
  };
}

/** Nobody who answers is in a group. */
function startOne(
  { self, peers }: Situation,
  own: DatabaseReport,
  known: readonly Known[],
): Decision {
  const forming =
    isBlank(self) &&
    peers.every(({ report }) => !report || report.record === "blank") &&
    known.every(({ report }) => isBlank(report));
  const hold = forming ? waitForming : wait;
  const silent = peers.filter(({ report }) => !report?.database);
  if (silent.length > 0) return hold(`no group: ${names(silent)} does not answer`);
  const inside = known.filter(({ database }) => database.state !== "OFFLINE");
  if (inside.length > 0) return hold(`no group: ${names(inside)} has not left its last one yet`);
  const members = [{ node: self.node, report: self, database: own }, ...known].sort((a, b) =>
    a.node < b.node ? -1 : 1,
  );
  if (forming) {
    if (!members.some(({ report }) => report.bootstrapRequested)) {
      return waitForming("every member is blank: waiting for the first bootstrap");
    }
    return startOn(members, self, "first", "first start of the group, every member is blank");
  }
  // A write was acknowledged once a majority held it. With fewer disks left, it may be on none.
  const formed = members.filter(({ report }) => report.record === "formed").length;
  if (formed > 0 && formed < majority(members.length)) {
    return ask(
      `no group: only ${formed} of ${members.length} members still have their disks, acknowledged writes may be lost`,
    );
  }
  const complete = members.filter(({ database }) =>
    members.every((other) => contains(available(database), available(other.database))),
  );
  if (complete.length === 0) {
    return ask("no group: none of the members holds the transactions of all others");
  }
  return startOn(complete, self, "reboot", "complete outage, it holds every transaction");
}

function waitForming(reason: string): Decision {
  return { kind: "wait", reason, forming: true };
}

/** Of those who may start the group, the one with the lowest key does. */
function startOn(
  [chosen]: readonly { readonly node: string }[],
  self: MemberReport,
  how: "first" | "reboot",
  reason: string,
): Decision {
  if (chosen && chosen.node !== self.node) {
    const told = wait(`no group: waiting for ${chosen.node} to start it`);
    return how === "first" ? waitForming(told.reason) : told;
  }
  return { kind: "bootstrap", how, reason };
}

/** Milliseconds until the next attempt after so many that failed in a row. */
export function backoffMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(1000 * 2 ** (failures - 1), 30_000);
}
