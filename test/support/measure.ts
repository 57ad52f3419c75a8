import { startLoad, type PathSpec } from "../../loadtests/client";
import { watchHost } from "./hostLoad";
import type { StackOutputs } from "./liveStack";

type Load = Awaited<ReturnType<typeof startLoad>>;
export type Report = Awaited<ReturnType<Load["report"]>>;

/** Where a stack's clients go, and nowhere else. */
export function edgeOf(outputs: StackOutputs, network: string) {
  return {
    targets: { http: `http://${outputs.vip}`, https: `https://${outputs.vip}` },
    ca: outputs.caCertificate,
    networks: [network],
  };
}

/**
 * Steady load against a stack's edge: every kind of connection, 300 requests a second, of the hello
 * application's paths where nothing else is said.
 */
export async function steadyLoad(
  outputs: StackOutputs,
  network: string,
  options: { readonly rate?: number; readonly paths?: readonly PathSpec[] } = {},
): Promise<Load> {
  watchHost();
  return startLoad({
    ...edgeOf(outputs, network),
    rate: 300,
    maxDurationMs: 3_600_000,
    ...options,
  });
}

/** Runs `action` while the load goes on and returns what clients saw from its start to its end. */
export async function watch<T>(
  load: Load,
  action: () => Promise<T>,
): Promise<{ result: T; seen: Report; from: number; to: number }> {
  const from = Date.now();
  const result = await action();
  // What was in flight when the action ended belongs to it.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const to = Date.now() - 1000;
  return { result, seen: (await load.report()).window(from, to), from, to };
}

/** Polls until `holds` is true; throws after `seconds` saying what was waited for. */
export async function eventually(
  what: string,
  seconds: number,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
