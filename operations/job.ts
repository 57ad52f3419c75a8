import { setTimeout as sleep } from "node:timers/promises";
import { lastLogLines } from "./observe";
import { ssh, type SshTarget } from "./ssh";

/** A container that is to run once and to exit with 0. */
export interface JobSpec {
  readonly container: string;
  /** What it does, as the subject of a sentence in the plural: "the migrations". */
  readonly purpose: string;
  readonly machine: SshTarget;
  readonly timeoutSeconds: number;
}

/** What was seen of a job's container. */
export type JobState =
  | { readonly kind: "unknown"; readonly reason: string }
  | { readonly kind: "running" }
  | { readonly kind: "exited"; readonly code: number };

/** Reads the output of `docker inspect -f '{{.State.Status}} {{.State.ExitCode}}'`. */
export function jobState(exitCode: number, stdout: string, stderr: string): JobState {
  const [status, code] = stdout.trim().split(" ");
  if (exitCode !== 0) return { kind: "unknown", reason: stderr.trim() || `exit code ${exitCode}` };
  return status === "exited" || status === "dead"
    ? { kind: "exited", code: Number(code) }
    : { kind: "running" };
}

/**
 * Returns once the job has done its work. A job that failed before is started once more: what it
 * lacked may be there now. Throws with its last log lines.
 */
export async function awaitJob({
  container,
  purpose,
  machine,
  timeoutSeconds,
}: JobSpec): Promise<void> {
  const deadline = Date.now() + timeoutSeconds * 1000;
  const target = { node: container, machine };
  const fail = async (reason: string) =>
    new Error(
      [
        `last log lines of ${container}:`,
        await lastLogLines(target),
        `${purpose} ${reason}; the update stops here, the nodes of the old version keep serving`,
      ].join("\n"),
    );
  for (let starts = 0; ;) {
    const { exitCode, stdout, stderr } = await ssh(
      machine,
      `docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' ${container}`,
      { timeoutSeconds: 10 },
    );
    const state = jobState(exitCode, stdout, stderr);
    if (state.kind === "exited" && state.code === 0) return;
    if (state.kind === "exited") {
      if (starts++ > 0) throw await fail(`failed with exit code ${state.code}`);
      await ssh(machine, `docker start ${container}`, { timeoutSeconds: 30 });
    }
    if (Date.now() > deadline) {
      throw await fail(
        `did not end within ${timeoutSeconds} s${state.kind === "unknown" ? `: ${state.reason}` : ""}`,
      );
    }
    await sleep(500);
  }
}
