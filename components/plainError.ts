import * as pulumi from "@pulumi/pulumi";

/** The error as Pulumi prints it plainly: its message alone, which says all there is to do. */
export function plainError(error: unknown): pulumi.RunError {
  const plain = new pulumi.RunError(error instanceof Error ? error.message : String(error));
  // Pulumi formats the stack all the same, which takes half a minute of CPU for a mapped one.
  plain.stack = plain.message;
  return plain;
}
