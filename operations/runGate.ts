/*
 * The gate and guard of a node. Run by its `gate` resource, on the computer that runs `pulumi`:
 *   runGate.ts await   returns once the node's users see it in service, and has its metrics tell when its
 *                      certificates end; fails with its last log lines
 *   runGate.ts guard   returns if the node may be stopped; fails naming what to repair first
 *   runGate.ts form    starts the node's group for the first time; returns once all members serve
 * The node is described in the variable HOLDFAST_GATE (a GateSpec as JSON).
 */
import { awaitInService, form, guard, memberOf, type GateSpec } from "./gate";
import { forgetCertificates, tellCertificates } from "./nodeCertificates";

async function main(): Promise<void> {
  const text = process.env["HOLDFAST_GATE"];
  if (!text) throw new Error("HOLDFAST_GATE is not set; this program is run by Pulumi");
  const spec = JSON.parse(text) as GateSpec;
  if (process.argv[2] === "await") {
    await awaitInService(spec);
    await tellCertificates(memberOf(spec, spec.node));
  } else if (process.argv[2] === "guard") {
    await guard(spec);
    await forgetCertificates(memberOf(spec, spec.node));
  } else if (process.argv[2] === "form") await form(spec);
  else throw new Error(`found ${process.argv[2] ?? "nothing"}, allowed: await, guard, form`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
