/*
 * What the agent does while its Redis runs: its role follows what the majority of the Sentinels
 * say, and clients are kept away where there is no majority. Pure.
 */
import type { RedisState } from "./replies";
import { agreedMaster, same, text, type Address, type Word } from "./topology";

export interface Situation {
  /** Milliseconds of a clock that never goes back. */
  readonly now: number;
  readonly node: string;
  readonly self: Address;
  /** Number of members, this one included. */
  readonly members: number;
  /** What the own Redis says; undefined where it did not answer lately. */
  readonly redis: RedisState | undefined;
  /** Why the own Redis, and the own Sentinel, did not answer last; empty where they did. */
  readonly problems: { readonly redis: string; readonly sentinel: string };
  /** What the members' Sentinels say; those that did not answer lately are left out. */
  readonly words: readonly Word[];
}

/** A role other than what the majority says. */
export interface Straying {
  readonly since: number;
  /** Own role and the master that the majority names; when either changes it begins anew. */
  readonly as: string;
}

export interface ControlMemory {
  /** When a majority last named a master, undefined before it first has. */
  readonly agreedAt: number | undefined;
  /** The own Redis was a master when it last answered. */
  readonly master: boolean;
  /** A majority has named it since it is a master. */
  readonly confirmed: boolean;
  readonly straying: Straying | undefined;
}

export const noMemory: ControlMemory = {
  agreedAt: undefined,
  master: false,
  confirmed: false,
  straying: undefined,
};

export type RoleChange =
  { readonly kind: "follow"; readonly master: Address } | { readonly kind: "become master" };

export interface Control {
  readonly memory: ControlMemory;
  readonly change: RoleChange | undefined;
  /** True: the application must not use this node's Redis, nor believe its Sentinel. */
  readonly fenced: boolean;
}

/** Milliseconds without a majority after which clients are kept away. A failover takes less. */
export const fenceMs = 5000;
/**
 * Milliseconds that the Sentinels have to bring a role in line by themselves. A replica that they
 * have just made master is not yet named by the majority.
 */
export const strayMs = 5000;

/** The next memory, and what to do now. */
export function control(memory: ControlMemory, situation: Situation): Control {
  const { now, self, members, redis, words } = situation;
  const agreed = agreedMaster(words, members);
  const agreedAt = agreed ? now : memory.agreedAt;
  const fenced = agreedAt === undefined || now - agreedAt > fenceMs;

  // A Redis that does not answer keeps what was known of it: it may be the same one afterwards.
  const master = redis ? redis.role === "master" : memory.master;
  const confirmed = master && (memory.confirmed || same(agreed, self));
  const next = { agreedAt, master, confirmed, straying: undefined };

  const inLine = master ? same(agreed, self) : same(agreed, redis?.master);
  if (!redis || !agreed || inLine) return { memory: next, change: undefined, fenced };

  const as = `${redis.role} ${text(agreed)}`;
  const straying = memory.straying?.as === as ? memory.straying : { since: now, as };
  const due = confirmed || now - straying.since >= strayMs;
  const change: RoleChange = same(agreed, self)
    ? { kind: "become master" }
    : { kind: "follow", master: agreed };
  return { memory: { ...next, straying }, change: due ? change : undefined, fenced };
}

export type Readiness =
  | { readonly ready: true; readonly reason: null }
  | { readonly ready: false; readonly reason: string };

const notReady = (reason: string): Readiness => ({ ready: false, reason });

/** May the next member be stopped, as far as this one is concerned? */
export function readiness(memory: ControlMemory, situation: Situation): Readiness {
  const { now, node, self, members, redis, words, problems } = situation;
  if (!redis) return notReady(`redis does not answer: ${problems.redis}`);
  if (redis.loading) return notReady("redis is loading");
  if (!words.some((word) => word.node === node)) {
    return notReady(`its Sentinel does not answer: ${problems.sentinel}`);
  }
  const agreed = agreedMaster(words, members);
  // Before there ever was a majority this may be the first member of a new stack.
  if (!agreed && memory.agreedAt !== undefined && now - memory.agreedAt > fenceMs) {
    return notReady(`only ${words.length} of ${members} Sentinels answer, or they disagree`);
  }
  if (redis.role === "master") {
    return agreed && !same(agreed, self)
      ? notReady(`it is a master, but the Sentinels name ${text(agreed)}`)
      : { ready: true, reason: null };
  }
  if (agreed && !same(agreed, redis.master)) {
    return notReady(
      `it follows ${redis.master ? text(redis.master) : "nobody"}, but the Sentinels name ${text(agreed)}`,
    );
  }
  return redis.linkUp
    ? { ready: true, reason: null }
    : notReady(
        `it does not have the data of ${redis.master ? text(redis.master) : "a master"} yet`,
      );
}
