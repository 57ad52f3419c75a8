/** A seeded source of numbers in [0, 1) (mulberry32): the same seed gives the same load. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Picks one of `items` in proportion to its weight. Throws where no weight is above zero. */
export function weighted<T>(
  items: readonly (readonly [T, number])[],
  random: () => number,
): () => T {
  const usable = items.filter(([, weight]) => weight > 0);
  const last = usable.at(-1);
  if (!last) throw new Error("nothing to pick from: no weight is above 0");
  const total = usable.reduce((sum, [, weight]) => sum + weight, 0);
  return () => {
    let left = random() * total;
    for (const [item, weight] of usable) {
      left -= weight;
      if (left < 0) return item;
    }
    return last[0];
  };
}
