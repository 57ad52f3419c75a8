import { metricsFileFromInput } from "../model/deployMarkers";
import {
  certificateFiles,
  certificateMetric,
  certificateMetricFile,
} from "../model/nodeCertificates";
import type { NodeTarget } from "./observe";
import { ssh } from "./ssh";

/**
 * Has the machine's exporter tell when the first of the node's certificates ends: of every node,
 * whatever it runs. Where that fails it is told of, no more: a service is not held up for a metric.
 */
export async function tellCertificates({ node, machine }: NodeTarget): Promise<void> {
  // No program of the container's is needed for that.
  const copied = (from: string) =>
    `docker cp ${node}:${from} - 2>/dev/null | tar -xOf - 2>/dev/null`;
  const either = certificateFiles.map((pair) => `{ ${pair.map(copied).join(" && ")}; }`);
  const { stdout } = await ssh(machine, [...either, "true"].join(" || "));
  const file = certificateMetricFile(node);
  const content = certificateMetric(node, stdout);
  const { exitCode, stderr } = await ssh(
    machine,
    content ? metricsFileFromInput(file) : `rm -f ${file}`,
    { input: content ?? "" },
  );
  if (exitCode !== 0)
    console.log(`${node}: the end of its certificates is not told: ${stderr.trim()}`);
}

/** Ends that, for a node that is about to go. */
export async function forgetCertificates({ node, machine }: NodeTarget): Promise<void> {
  await ssh(machine, `rm -f ${certificateMetricFile(node)}`, { timeoutSeconds: 10 });
}
