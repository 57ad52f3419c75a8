import { z } from "zod";
import { placementOf, type Settings } from "../model/settings";
import { port, type Listener } from "../model/tier";

/** Settings of the exporters that tell of `what`. */
export function exporterSettings(what: string, fallback: number) {
  return z.strictObject({
    port: port(`Port of the metrics of ${what}.`, fallback),
    memoryMegabytes: z.int().min(32).default(64).describe("Memory limit of a node in MiB."),
  });
}

/** The only listener of an exporter. Monitoring comes to it without being named. */
export const exporterListener =
  (name: string, purpose: string, metrics: Partial<Listener> = {}) =>
  ({ port }: { readonly port: number }): readonly Listener[] => [
    { name, protocol: "tcp", port, from: [], purpose, metricsPath: "/metrics", ...metrics },
  ];

/** Exporters stand where somebody fetches what they tell. */
export const isMonitored = (all: Settings): boolean => placementOf(all, "monitoring").count > 0;

/** An exporter stands beside each node of that tier. */
export const besideWhereMonitored =
  (tier: string) =>
  (_values: unknown, all: Settings): string | undefined =>
    isMonitored(all) ? tier : undefined;

/** What the exporters of services have in common beside their settings. */
export const exporterCommon = {
  serviceClass: "non-critical",
  withoutIt: "Everything serves on; the figures of the service are missing.",
} as const;
