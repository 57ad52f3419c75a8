import { checkSettings, placementOf, type Settings } from "./settings";
import type { StackPlan } from "./stack";
import type { Tiers } from "./tier";

/** A tier that lacks the image it is made from. */
export interface MissingImage {
  /** Settings name of the tier. */
  readonly tier: string;
  readonly image: string;
  /** The stack must not go without it. */
  readonly required: boolean;
}

/** Tiers with nodes whose image is not to be had. `has` tells whether this computer has an image. */
export function missingImages(
  plan: StackPlan<Tiers>,
  has: (image: string) => boolean,
): readonly MissingImage[] {
  return Object.values(plan.tiers).flatMap(({ name: tier, nodes, declaration }) => {
    const image = declaration.optionalImage?.(plan.settings[tier] as never);
    if (!image || nodes.length === 0 || has(image.name)) return [];
    return [{ tier, image: image.name, required: image.required }];
  });
}

/** What is said of a tier that the stack goes without, on one line. */
export function withoutText({ tier, image }: MissingImage): string {
  return `without ${tier}: its image ${image} cannot be had here; all else works (docker pull it, or name a copy in holdfast:${tier}.image)`;
}

/** Why the stack must not come up. */
export function refusalText({ tier, image }: MissingImage): string {
  return `holdfast:${tier}.wanted is always, and its image ${image} cannot be had here; nothing was changed: docker pull it, or name a copy in holdfast:${tier}.image`;
}

/**
 * Images that a stack with this raw configuration would like to have. Settings that cannot be read
 * here, secrets among them, do not matter to it.
 */
export function wantedImages(
  tiers: Tiers,
  raw: Readonly<Record<string, unknown>>,
): readonly string[] {
  const { values } = checkSettings(tiers, raw);
  return Object.values(tiers).flatMap((tier) => {
    const own = values[tier.name];
    const neighbour =
      own === undefined ? undefined : tier.beside?.(own as never, values as Settings);
    if (neighbour === undefined || placementOf(values as Settings, neighbour).count === 0) {
      return [];
    }
    return tier.optionalImage?.(own as never).name ?? [];
  });
}
