/*
 * Which password members present to each other while they are rolled from one generation to the
 * next. Pure.
 */

/** An account: the passwords that it accepts, the current one first. */
export interface Account {
  readonly passwords: readonly string[];
}

/** Content of `accounts.json`: what members use among themselves. Secret. */
export interface MemberAccounts {
  /** Replicas at their master. */
  readonly replica: Account;
  /** Sentinels at every Redis and at each other. */
  readonly sentinel: Account;
  /** Agents at the own and the peers' Redis and Sentinels. */
  readonly agent: Account;
}

/** What is known of a peer: which of our passwords it accepts, by index. */
export interface PeerPassword {
  readonly node: string;
  /** Index of the password with which it let us in; undefined before it ever has. */
  readonly accepted: number | undefined;
}

/**
 * Index of the password to present to all peers: the current one, unless a peer takes only the one
 * before it. That one suits every member until the last has been rolled: those not yet rolled know
 * it as their current one, those rolled accept it as the previous one.
 */
export function chosenPassword(passwords: number, peers: readonly PeerPassword[]): number {
  const needed = peers.map(({ accepted }) => accepted ?? 0);
  return Math.min(Math.max(0, ...needed), passwords - 1);
}

/** Password at that index, or the current one where there is no such. */
export function passwordAt({ passwords }: Account, index: number): string {
  const password = passwords[index] ?? passwords[0];
  if (password === undefined) throw new Error("an account without a password");
  return password;
}
