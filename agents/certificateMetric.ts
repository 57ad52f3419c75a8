import { readFileSync } from "node:fs";
import { Gauge, type Registry } from "prom-client";
import { endOfChain } from "../model/certificate";
import { log, messageOf } from "./io";

/**
 * Adds to the metrics when the first of these certificates ends. They are read once: a node whose
 * files change is another one. Without certificates there is no such metric; where they cannot be
 * read neither, and the log says why: a service does not stay down for want of a metric.
 */
export function addCertificateEnd(registry: Registry, files: readonly string[]): void {
  if (files.length === 0) return;
  let end: Date;
  try {
    end = endOfChain(files.map((file) => readFileSync(file, "utf8")).join("\n"));
  } catch (error) {
    log("the end of the certificates is unknown", { files, error: messageOf(error) });
    return;
  }
  new Gauge({
    name: "holdfast_certificate_expiry_timestamp_seconds",
    help: "Time at which the first of the node's certificates ends.",
    registers: [registry],
  }).set(end.getTime() / 1000);
}
