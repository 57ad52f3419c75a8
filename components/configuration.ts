import * as pulumi from "@pulumi/pulumi";

/** What the stack file says under `holdfast:`, top-level key -> parsed value, not yet validated. */
export function rawConfiguration(): Record<string, unknown> {
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
