import * as pulumi from "@pulumi/pulumi";
import { isSecretKey, type Settings } from "../model/settings";
import type { StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";

/** The value with a word in place of each secret in it. */
function withoutSecrets(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) {
    return value.map((entry, index) => withoutSecrets(entry, [...path, String(index)]));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, withoutSecrets(entry, [...path, key])]),
    );
  }
  return value !== undefined && isSecretKey(path) ? "secret" : value;
}

/**
 * What the policy pack judges a production stack by: its settings with defaults, without secrets.
 * Registered before all else, so that what is refused is refused before anything is changed.
 */
export class ProductionSettings extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:ProductionSettings";

  constructor(name: string, settings: Settings, opts?: pulumi.ComponentResourceOptions) {
    // As text: the deeper a resource's inputs, the later it is registered.
    const text = JSON.stringify(withoutSecrets(settings, []));
    super(ProductionSettings.type, name, { settings: text }, opts);
    this.registerOutputs({});
  }
}

/** Shows the settings of a production stack to the policy pack; others are not judged. */
export function showToPolicies(plan: StackPlan<Tiers>): void {
  const { settings } = plan;
  if (settings.stack.environment === "production") new ProductionSettings("settings", settings);
}
