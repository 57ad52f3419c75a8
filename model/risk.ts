/** Rows of the risk matrix, most likely first. */
export const likelihoods = {
  A: "almost certain",
  B: "likely",
  C: "possible",
  D: "unlikely",
  E: "rare",
} as const;

/** Columns of the risk matrix, mildest first. */
export const consequences = [
  "insignificant",
  "minor",
  "moderate",
  "major",
  "catastrophic",
] as const;

export type Likelihood = keyof typeof likelihoods;
export type Consequence = (typeof consequences)[number];

const matrix = {
  A: ["M8", "H16", "H18", "C23", "C25"],
  B: ["M7", "M10", "H17", "H20", "C24"],
  C: ["L3", "M9", "M12", "H19", "H22"],
  D: ["L2", "L5", "M11", "M14", "H21"],
  E: ["L1", "L4", "L6", "M13", "M15"],
} as const satisfies Record<Likelihood, readonly string[]>;

/** A cell of the matrix: low, medium, high or critical, and its rank from 1 to 25. */
export type Cell = (typeof matrix)[Likelihood][number];

/** A risk in its place. */
export interface Risk {
  readonly likelihood: Likelihood;
  readonly consequence: Consequence;
  readonly cell: Cell;
}

/** The cells of a row, in the order of `consequences`. */
export const row = (likelihood: Likelihood): readonly Cell[] => matrix[likelihood];

/** The place of a risk in the matrix. */
export function riskOf(likelihood: Likelihood, consequence: Consequence): Risk {
  const cell = row(likelihood)[consequences.indexOf(consequence)];
  if (cell === undefined) throw new Error(`found no cell for ${likelihood} and ${consequence}`);
  return { likelihood, consequence, cell };
}

/** Rank of a risk in the matrix, 25 the worst. */
export const rank = ({ cell }: Risk): number => Number(cell.slice(1));

/** The consequence that is `steps` columns worse, catastrophic at most. */
export function worse(consequence: Consequence, steps: number): Consequence {
  const at = Math.min(consequences.indexOf(consequence) + steps, consequences.length - 1);
  return consequences[at] ?? consequence;
}

/** The worst of some consequences; insignificant where there are none. */
export function worst(all: readonly Consequence[]): Consequence {
  return consequences.findLast((one) => all.includes(one)) ?? "insignificant";
}
