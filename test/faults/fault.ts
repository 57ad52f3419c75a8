import type { LiveStack } from "../support/liveStack";

/** Something that breaks on a live stack, and how it is undone. One file a fault. */
export interface Fault {
  /** What happens, for people: `nginx killed on web-a`. */
  readonly name: string;
  /** Breaks it; resolves when it is broken. */
  inject(stack: LiveStack): Promise<void>;
  /** Repairs what does not come back by itself; resolves when the repair is begun. */
  heal(stack: LiveStack): Promise<void>;
}

/**
 * Runs a command on a machine and throws with what it printed when it fails. `input` goes to its
 * standard input.
 */
export async function mustRun(
  stack: LiveStack,
  machine: string,
  command: string,
  options: { readonly timeoutSeconds?: number; readonly input?: string } = {},
): Promise<string> {
  const { exitCode, stdout, stderr } = await stack.on(machine, command, options);
  if (exitCode !== 0) {
    throw new Error(`${machine}: ${command}: exit code ${exitCode}: ${stderr || stdout}`);
  }
  return stdout;
}
