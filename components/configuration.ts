import * as pulumi from "@pulumi/pulumi";
import { missingImages, refusalText, withoutText } from "../model/optionalImages";
import { planStack, readPlan, type StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { hasImage } from "../operations/hasImage";
import { plainError } from "./plainError";

/**
 * The plan of the stack that its settings describe, without the tiers whose image cannot be had and
 * need not be. Throws naming every mistake in the settings, or what cannot be had and must.
 */
export function plannedStack<T extends Tiers>(tiers: T): StackPlan<T> {
  try {
    const plan = readPlan(tiers, rawConfiguration());
    const missing = missingImages(plan, hasImage);
    const refused = missing.filter(({ required }) => required);
    if (refused.length > 0) throw new Error(refused.map(refusalText).join("\n"));
    if (missing.length === 0) return plan;
    for (const each of missing) void pulumi.log.info(withoutText(each));
    const without = missing.map(({ tier }) => tier);
    return planStack(tiers, plan.settings, without);
  } catch (error) {
    throw plainError(error);
  }
}

/** What the stack file says under `holdfast:`, top-level key -> parsed value, not yet validated. */
function rawConfiguration(): Record<string, unknown> {
  const prefix = `${pulumi.getProject()}:`;
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), parsed(value)]),
  );
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    // A plain string is not JSON; the settings' schema says what it should have been.
    return value;
  }
}
