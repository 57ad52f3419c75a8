/*
 * What the load balancers are told: may this member have the connections of an endpoint? Closed
 * unless everything needed is known, fresh and right. Pure.
 */
import {
  hasQuorum,
  inGroup,
  majority,
  onlineMembers,
  type DatabaseReport,
  type Peer,
} from "./state";

/** Milliseconds for which an observation holds. */
export const freshMs = 1000;
/**
 * Milliseconds without an observation after which the member may have been expelled in between. The
 * group needs five seconds of silence for that.
 */
export const pauseMs = 3000;
/** Milliseconds in which a demoted primary lets statements end before its sessions are cut. */
export const demotedGraceMs = 2000;

/** What mysqld said, and when it was asked. */
export interface Observation {
  readonly database: DatabaseReport;
  readonly superReadOnly: boolean;
  readonly offlineMode: boolean;
  /** Monotonic milliseconds. */
  readonly askedAt: number;
}

/**
 * Trust in the own mysqld's view of its group. After a pause, of this process or of mysqld, that
 * view is as old as the pause: the group may have gone on without the member, and mysqld has not
 * heard yet. Then it takes a majority's word, asked for after the pause.
 */
export interface Trust {
  readonly lastAskedAt: number | undefined;
  /** Peers' words count if asked for after this time. */
  readonly pausedUntil: number;
  readonly confirmed: boolean;
}

export const noTrust: Trust = { lastAskedAt: undefined, pausedUntil: 0, confirmed: false };

/** Trust after an observation that ended at `now`. */
export function observed(trust: Trust, { askedAt }: Observation, now: number): Trust {
  const paused = trust.lastAskedAt === undefined || now - trust.lastAskedAt > pauseMs;
  return paused
    ? { lastAskedAt: askedAt, pausedUntil: now, confirmed: false }
    : { ...trust, lastAskedAt: askedAt };
}

/** A peer with the time at which its report was asked for. */
export interface AskedPeer extends Peer {
  readonly askedAt: number;
}

/** Trust after what the peers say: a majority, this member included, must see it as it sees itself. */
export function heardPeers(
  trust: Trust,
  own: DatabaseReport,
  peers: readonly AskedPeer[],
  /** Members whose word makes a majority; 1 where the operator chose to go on alone. */
  needed: number,
): Trust {
  if (trust.confirmed || !inGroup(own)) return trust;
  const agreeing = peers.filter(
    ({ report, askedAt }) =>
      report?.database &&
      askedAt >= trust.pausedUntil &&
      hasQuorum(report.database) &&
      report.database.members.some(
        ({ id, state, role }) => id === own.id && state === own.state && role === own.role,
      ),
  );
  return { ...trust, confirmed: agreeing.length + 1 >= needed };
}

export interface HealthInput {
  /** Monotonic milliseconds. */
  readonly now: number;
  readonly observation: Observation | undefined;
  readonly trust: Trust;
  readonly peers: readonly Peer[];
  /** Members of the stack, this one included. */
  readonly configured: number;
  /** The operator chose to go on without a majority. */
  readonly alone: boolean;
  /** It is on disk that this member may have acknowledged writes. */
  readonly recorded: boolean;
  /** draining: sessions end by themselves. leaving: they are cut. */
  readonly stopping: "no" | "draining" | "leaving";
  /** When it ceased to be the primary of a group it is still in. */
  readonly demotedAt: number | undefined;
  readonly maxApplyQueue: number;
}

/** 200: in service. 404: no new sessions. 503: no sessions. */
export interface Answer {
  readonly status: 200 | 404 | 503;
  readonly reason: string;
}

export interface Health {
  readonly primary: Answer;
  readonly replica: Answer;
}

const closed = (reason: string): Answer => ({ status: 503, reason });
const draining = (reason: string): Answer => ({ status: 404, reason });
const both = (answer: Answer): Health => ({ primary: answer, replica: answer });

export function health(input: HealthInput): Health {
  const { now, observation, stopping } = input;
  if (stopping === "leaving") return both(closed("stopping"));
  const fault = faultOf(input);
  if (fault !== undefined || !observation) return both(closed(fault ?? "nothing known yet"));
  const { database } = observation;
  const drained = (answer: Answer): Answer =>
    stopping === "draining" && answer.status === 200 ? draining("stopping") : answer;
  switch (database.role) {
    case "PRIMARY":
      return {
        primary: drained(primaryAnswer(observation)),
        replica: closed("PRIMARY, not SECONDARY"),
      };
    case "SECONDARY":
      return {
        primary:
          input.demotedAt !== undefined && now - input.demotedAt < demotedGraceMs
            ? draining("handed over")
            : closed("SECONDARY, not PRIMARY"),
        replica: drained(replicaAnswer(input, database)),
      };
    case null:
      return both(closed("no role"));
  }
}

/**
 * Should mysqld let clients in? Undefined where that is to stay as it is. mysqld asks for a majority
 * of those who did not leave; a member that is left over in good order is sealed here.
 */
export function clientsWanted(input: HealthInput): boolean | undefined {
  const { observation, configured, alone, stopping } = input;
  if (!observation || stopping !== "no") return undefined;
  if (faultOf({ ...input, observation: { ...observation, offlineMode: false } }) === undefined) {
    return true;
  }
  const { database } = observation;
  const few = onlineMembers(database) < majority(configured) && !alone;
  return database.state === "ONLINE" && hasQuorum(database) && few ? false : undefined;
}

/** Could the member serve as soon as that is on disk? */
export function mayRecord(input: HealthInput): boolean {
  const { observation } = input;
  return (
    observation !== undefined &&
    faultOf({
      ...input,
      recorded: true,
      observation: { ...observation, offlineMode: false },
    }) === undefined
  );
}

/** Why the member may have no connections at all; undefined where nothing is wrong. */
function faultOf(input: HealthInput): string | undefined {
  const { now, observation, trust, configured, alone, recorded, peers } = input;
  if (!observation) return "nothing known yet";
  const age = now - observation.askedAt;
  if (!(age >= 0 && age <= freshMs)) return `last observation ${Math.round(age)} ms ago`;
  const { database, offlineMode } = observation;
  if (database.state !== "ONLINE") return `${database.state}, not ONLINE`;
  if (!hasQuorum(database)) return "no majority in reach";
  const online = onlineMembers(database);
  // Also after members left in good order: what few members acknowledge, few disks hold.
  if (online < majority(configured) && !alone) {
    return `${online} of ${configured} members ONLINE, ${majority(configured)} needed`;
  }
  if (alone && strangers(database, peers)) return "another group has a majority";
  if (!trust.confirmed) return "not confirmed by a majority since the last pause";
  if (!recorded) return "not yet recorded on disk";
  if (offlineMode) return "offline_mode is on";
  return undefined;
}

/** Is a peer in a group with a majority, of which this member is no part? */
function strangers(own: DatabaseReport, peers: readonly Peer[]): boolean {
  return peers.some(
    ({ report }) =>
      report?.database &&
      hasQuorum(report.database) &&
      !report.database.members.some(({ id }) => id === own.id),
  );
}

function primaryAnswer({ superReadOnly }: Observation): Answer {
  return superReadOnly ? closed("super_read_only is on") : { status: 200, reason: "PRIMARY" };
}

/** One that lags gets no new sessions; those it has may still end by themselves. */
function replicaAnswer({ maxApplyQueue }: HealthInput, { applyQueue }: DatabaseReport): Answer {
  return applyQueue <= maxApplyQueue
    ? { status: 200, reason: "SECONDARY" }
    : draining(`${applyQueue} transactions wait, ${maxApplyQueue} allowed`);
}
