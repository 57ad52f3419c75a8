/* Who is master, from what Sentinels say. Pure. */

/** Where a Redis is reached. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What one member's Sentinel says about the master. */
export interface Word {
  readonly node: string;
  readonly master: Address;
  /** Grows with every failover: of two words the one with the larger epoch is newer. */
  readonly configEpoch: number;
}

export const same = (a: Address | undefined, b: Address | undefined): boolean =>
  a !== undefined && b !== undefined && a.host === b.host && a.port === b.port;

export const text = ({ host, port }: Address): string => `${host}:${port}`;

/** How many of the words name this master. */
export const naming = (words: readonly Word[], master: Address): number =>
  words.filter((word) => same(word.master, master)).length;

/** The master that more than half of all members' Sentinels name, if there is one. */
export function agreedMaster(words: readonly Word[], members: number): Address | undefined {
  return words.find(({ master }) => naming(words, master) > members / 2)?.master;
}

/**
 * The newest word: the largest epoch; among equals, which only a first start can have, the one that
 * most share, then the first in the order of node keys.
 */
export function newestWord(words: readonly Word[]): Word | undefined {
  return [...words].sort(
    (a, b) =>
      b.configEpoch - a.configEpoch ||
      naming(words, b.master) - naming(words, a.master) ||
      a.node.localeCompare(b.node) ||
      text(a.master).localeCompare(text(b.master)),
  )[0];
}
