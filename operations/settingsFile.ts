import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";

/** What a stack file says under `holdfast:`, top-level key -> value; secrets are `{ secure: ... }`. */
export function settingsFrom(yaml: string): Record<string, unknown> {
  const { config } = (parse(yaml) ?? {}) as { config?: Record<string, unknown> | null };
  return Object.fromEntries(
    Object.entries(config ?? {}).flatMap(([key, value]) =>
      key.startsWith("holdfast:") ? [[key.slice("holdfast:".length), value]] : [],
    ),
  );
}

/** The same of a file; nothing where there is none. */
export function settingsOf(file: string): Record<string, unknown> {
  return existsSync(file) ? settingsFrom(readFileSync(file, "utf8")) : {};
}

/** The source of machines that the settings name; `lab` where they say nothing. */
export function configuredSource(settings: Readonly<Record<string, unknown>>): "lab" | "inventory" {
  const { source } = (settings["machines"] ?? {}) as { source?: unknown };
  return source === "inventory" ? "inventory" : "lab";
}
