import { z } from "zod";
import { machinesSchema, registrySchema } from "./machineSettings";
import type { MachinesSettings, RegistrySettings } from "./machineSettings";
import type { TierDeclaration, Tiers } from "./tier";

/** Settings of a stack, validated and with defaults, by top-level key. */
export type Settings<T extends Tiers = Tiers> = {
  readonly machines: MachinesSettings;
  readonly registry: RegistrySettings;
} & { readonly [K in keyof T]: T[K] extends TierDeclaration<infer S> ? z.output<S> : never };

/** One mistake in the settings. */
export interface Problem {
  /** Full key, such as `holdfast:webPool.count`. */
  readonly key: string;
  /** The value as written, secrets masked; `nothing` where it is missing. */
  readonly found: string;
  /** What may stand there. */
  readonly allowed: string;
}

/** Thrown with every mistake at once, before any resource exists. */
export class SettingsError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(
      [
        `${problems.length} ${problems.length === 1 ? "setting is" : "settings are"} wrong; nothing was changed:`,
        ...problems.map(
          ({ key, found, allowed }) => `  ${key}: found ${found}, allowed: ${allowed}`,
        ),
      ].join("\n"),
    );
    this.name = "SettingsError";
  }
}

/** Schemas by top-level key, in the order in which the reference lists them. */
export function settingsSchemas(tiers: Tiers): Record<string, z.ZodType> {
  return {
    machines: machinesSchema,
    registry: registrySchema,
    ...Object.fromEntries(Object.entries(tiers).map(([name, tier]) => [name, tier.settings])),
  };
}

const secretKeys = /(^|\.)(privateKey|password|secrets(\..*)?)$/;

function shown(key: string, value: unknown): string {
  if (value === undefined) return "nothing";
  if (secretKeys.test(key)) return "[secret]";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, step) =>
      typeof at === "object" && at !== null
        ? (at as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  );
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = schema;
  const unwrap = (type: unknown): unknown =>
    type instanceof z.ZodReadonly || type instanceof z.ZodOptional || type instanceof z.ZodDefault
      ? unwrap(type.unwrap())
      : type;
  for (const step of path) {
    at = unwrap(at);
    if (at instanceof z.ZodObject) at = (at.shape as Record<string, unknown>)[String(step)];
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else if (at instanceof z.ZodArray) at = at.element;
    else return [];
  }
  at = unwrap(at);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function nearest(wrong: string, known: readonly string[]): string | undefined {
  const same = known.find((key) => key.toLowerCase() === wrong.toLowerCase());
  return same ?? known.find((key) => key.startsWith(wrong) || wrong.startsWith(key));
}

function allowedText(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "a whole number" : `a value of type ${issue.expected}`;
    case "too_small":
      return `at least ${issue.minimum}${issue.origin === "string" ? " characters" : ""}`;
    case "too_big":
      return `at most ${issue.maximum}${issue.origin === "string" ? " characters" : ""}`;
    case "invalid_value":
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "invalid_format":
      if (issue.format === "ipv4") return "an IPv4 address such as 10.77.0.21";
      if (issue.format === "cidrv4") return "an IPv4 network such as 10.77.0.0/24";
      return issue.message;
    case "invalid_key":
      return issue.issues.map((inner) => inner.message).join("; ");
    default:
      return issue.message;
  }
}

function problemsOf(name: string, schema: z.ZodType, raw: unknown, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, issue.path);
      return issue.keys.map((wrong) => {
        const meant = nearest(wrong, known);
        return {
          key: ["holdfast:" + name, ...issue.path.map(String), wrong].join("."),
          found: shown([...issue.path, wrong].join("."), valueAt(raw, [...issue.path, wrong])),
          allowed: `no such key${meant ? ` (did you mean ${meant}?)` : ""}; the keys are ${known.join(", ")}`,
        };
      });
    }
    const path = issue.path.map(String).join(".");
    return [
      {
        key: ["holdfast:" + name, ...issue.path.map(String)].join("."),
        found: shown(path, valueAt(raw, issue.path)),
        allowed: allowedText(issue),
      },
    ];
  });
}

/**
 * Settings from the raw configuration (top-level key without `holdfast:` -> parsed value).
 * Throws a SettingsError that names every wrong key, unknown one, wrong type and missing value.
 * What depends on several values together is checked by `planStack`.
 */
export function parseSettings<T extends Tiers>(
  tiers: T,
  raw: Readonly<Record<string, unknown>>,
): Settings<T> {
  const schemas = settingsSchemas(tiers);
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(raw)) {
    if (name in schemas) continue;
    const meant = nearest(name, Object.keys(schemas));
    problems.push({
      key: `holdfast:${name}`,
      found: shown(name, raw[name]),
      allowed: `no such key${meant ? ` (did you mean ${meant}?)` : ""}; the keys are ${Object.keys(schemas).join(", ")}`,
    });
  }
  for (const [name, schema] of Object.entries(schemas)) {
    const parsed = schema.safeParse(raw[name] ?? {});
    if (parsed.success) values[name] = parsed.data;
    else problems.push(...problemsOf(name, schema, raw[name] ?? {}, parsed.error));
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return values as Settings<T>;
}
