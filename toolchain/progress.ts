/** Prints what a long step does and for how long, on stderr: stdout is for results. */

const started = performance.now();
const reminderMs = 30_000;

/** Seconds since the program began. */
export function elapsedSeconds(): number {
  return (performance.now() - started) / 1000;
}

export function say(text: string): void {
  process.stderr.write(`toolchain [${elapsedSeconds().toFixed(0).padStart(3)} s] ${text}\n`);
}

/** Runs a step that takes more than a moment, and says every 30 s that it still runs. */
export async function step<T>(what: string, run: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0)} s`;
  say(what);
  const reminder = setInterval(() => say(`${what}: ${seconds()} so far`), reminderMs);
  try {
    const result = await run();
    say(`${what}: done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}
