import fc from "fast-check";
import type { RedisState } from "../../../agents/redis/replies";
import type { Address, Word } from "../../../agents/redis/topology";

export const at = (index: number): Address => ({ host: `10.0.0.${index + 1}`, port: 6379 });
export const keyOf = (index: number) => `redis-${String.fromCharCode(97 + index)}`;
export const word = (index: number, master: number, configEpoch = 1): Word => ({
  node: keyOf(index),
  master: at(master),
  configEpoch,
});
export const master = (change: Partial<RedisState> = {}): RedisState => ({
  role: "master",
  loading: false,
  keys: 10,
  offset: 100,
  master: undefined,
  linkUp: false,
  replicas: [],
  ...change,
});
export const replica = (of: number, change: Partial<RedisState> = {}): RedisState =>
  master({ role: "replica", master: at(of), linkUp: true, ...change });

export const members = fc.constantFrom(1, 3, 5);
export const index = fc.nat({ max: 4 });
export const words = fc
  .uniqueArray(fc.record({ by: index, master: index, epoch: fc.nat({ max: 3 }) }), {
    selector: ({ by }) => by,
    maxLength: 5,
  })
  .map((list) => list.map(({ by, master: named, epoch }) => word(by, named, epoch)));
export const state = fc.oneof(
  fc.record({ keys: fc.nat({ max: 2 }) }).map(master),
  fc
    .tuple(index, fc.record({ keys: fc.nat({ max: 2 }), linkUp: fc.boolean() }))
    .map(([of, change]) => replica(of, change)),
);

/** The words of those that are members, where there are so many. */
export const ofMembers = (list: readonly Word[], count: number): Word[] =>
  list.filter(({ node }) => Array.from({ length: count }, (_, n) => keyOf(n)).includes(node));
