/*
 * Waits for a container that runs once. Run by the gate of such a container, on the computer that
 * runs `pulumi`; the container is described in the variable HOLDFAST_JOB (a JobSpec as JSON).
 */
import { awaitJob, type JobSpec } from "./job";

async function main(): Promise<void> {
  const text = process.env["HOLDFAST_JOB"];
  if (!text) throw new Error("HOLDFAST_JOB is not set; this program is run by Pulumi");
  await awaitJob(JSON.parse(text) as JobSpec);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
