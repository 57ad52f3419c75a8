import * as pulumi from "@pulumi/pulumi";
import { readPlan, type StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { plainError } from "./plainError";

/** The plan of the stack that its settings describe. Throws naming every mistake in them. */
export function plannedStack<T extends Tiers>(tiers: T): StackPlan<T> {
  try {
    return readPlan(tiers, rawConfiguration());
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
