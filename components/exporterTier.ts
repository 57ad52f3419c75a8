import { z } from "zod";
import { placementOf, type Settings } from "../model/settings";
import { port } from "../model/tier";

/** Settings of the exporters of a service. */
export function exporterSettings(service: string, fallback: number) {
  return z.strictObject({
    port: port(`Port of the metrics of ${service}.`, fallback),
    memoryMegabytes: z.int().min(32).default(64).describe("Memory limit of a node in MiB."),
  });
}

/** An exporter stands beside each node of that tier where somebody fetches what it tells. */
export const besideWhereMonitored =
  (tier: string) =>
  (_values: unknown, all: Settings): string | undefined =>
    placementOf(all, "monitoring").count > 0 ? tier : undefined;

/** What all exporters have in common beside their settings. */
export const exporterCommon = {
  serviceClass: "non-critical",
  withoutIt: "Everything serves on; the figures of the service are missing.",
} as const;
