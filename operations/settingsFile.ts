import { existsSync, readFileSync } from "node:fs";
import { isMap, parse, parseDocument } from "yaml";

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

/** A mapping of a stack file's `config`, by its full key; nothing where it is missing. */
export function configOf(yaml: string, key: string): unknown {
  const { config } = (parse(yaml) ?? {}) as { config?: Record<string, unknown> | null };
  return config?.[key] ?? undefined;
}

/**
 * The text of a stack file with these values in its `config`, by full key and the key below it; a
 * full key that is `undefined` is removed. All else stays as it is, comments and secrets too.
 */
export function withConfig(
  yaml: string,
  changes: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>,
): string {
  const document = parseDocument(yaml);
  const mapping = (at: readonly string[]) => {
    if (!isMap(document.getIn(at, true))) document.setIn(at, document.createNode({}));
  };
  mapping(["config"]);
  for (const [key, values] of Object.entries(changes)) {
    if (values === undefined) document.deleteIn(["config", key]);
    else {
      if (Object.keys(values).length > 0) mapping(["config", key]);
      for (const [name, value] of Object.entries(values)) {
        document.setIn(["config", key, name], value);
      }
    }
  }
  // Never folded: secrets are long words.
  return document.toString({ lineWidth: 0 });
}
