/* What is known of the edge's certificate, as Prometheus reads it. Pure. */
import type { Standing } from "./bundle";
import { warningMs, type Attempts } from "./decide";

export interface AcmeFacts {
  /** What is shown; undefined while it is the placeholder. */
  readonly shown: Standing | undefined;
  readonly renewBeforeDays: number;
  readonly attempts: Attempts;
}

function gauge(name: string, help: string, value: number | undefined): string[] {
  if (value === undefined) return [];
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${value}`];
}

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

/** The facts in the text format. */
export function acmeMetrics({ shown, renewBeforeDays, attempts }: AcmeFacts): string {
  const lines = [
    ...gauge(
      "holdfast_acme_certificate",
      "The edge shows a certificate of the authority of the settings, for all its names.",
      shown?.fits === true ? 1 : 0,
    ),
    ...gauge(
      "holdfast_acme_last_success_timestamp_seconds",
      "Time at which this node last got a certificate.",
      seconds(attempts.lastSuccess),
    ),
    ...gauge(
      "holdfast_acme_last_failure_timestamp_seconds",
      "Time at which this node last failed to get one.",
      seconds(attempts.lastFailure),
    ),
    ...gauge(
      "holdfast_edge_certificate_expiry_timestamp_seconds",
      "Time at which the certificate ends that the node shows clients.",
      seconds(shown?.end),
    ),
    ...gauge(
      "holdfast_edge_certificate_warning_seconds",
      "Seconds before its end from which its renewal is late.",
      shown && seconds(warningMs(shown, renewBeforeDays)),
    ),
  ];
  return `${lines.join("\n")}\n`;
}
