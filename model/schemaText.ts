import { z } from "zod";

/** The parts of a JSON schema that settings use. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly description?: string;
  readonly default?: unknown;
}

/** One key of the settings, as people read about it. */
export interface SettingText {
  /** Path below the top-level key; `<key>` stands for any key of a mapping. */
  readonly path: readonly string[];
  /** What may stand there, such as `a whole number from 1 to 9`. */
  readonly type: string;
  /** Value where nothing is written; undefined where the key may be missing. */
  readonly default: unknown;
  readonly description: string;
}

const anyKey = "<key>";

const known = new WeakMap<z.ZodType, JsonSchema>();

function jsonSchema(schema: z.ZodType): JsonSchema {
  const converted = known.get(schema) ?? (z.toJSONSchema(schema, { io: "input" }) as JsonSchema);
  known.set(schema, converted);
  return converted;
}

function rangeText(kind: string, { minimum, maximum }: JsonSchema): string {
  // Without a limit of its own, a whole number has that of exact arithmetic.
  const below = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return kind;
  return below ? `${kind} from ${minimum} to ${maximum}` : `${kind}, at least ${minimum}`;
}

function typeText(schema: JsonSchema): string {
  if (schema.enum) return `one of ${schema.enum.map((value) => JSON.stringify(value)).join(", ")}`;
  if (typeof schema.type === "object") {
    return schema.type.map((type) => typeText({ type })).join(" or ");
  }
  switch (schema.type) {
    case "integer":
      return rangeText("a whole number", schema);
    case "number":
      return rangeText("a number", schema);
    case "boolean":
      return "true or false";
    case "array": {
      const least = schema.minItems ? ` of at least ${schema.minItems}` : "";
      return `a list${least}, each entry ${typeText(schema.items ?? {})}`;
    }
    case "object":
      return schema.properties
        ? `a mapping with the keys ${Object.keys(schema.properties).join(", ")}`
        : `a mapping of names to ${valueOf(schema).properties ? "mappings" : typeText(valueOf(schema))}`;
    default:
      if (schema.format === "ipv4") return "an IPv4 address such as 10.77.0.21";
      if (schema.format === "cidrv4") return "an IPv4 network such as 10.77.0.0/24";
      return "text";
  }
}

/** Schema of the values of a mapping with free keys; empty where the keys are fixed. */
function valueOf({ additionalProperties }: JsonSchema): JsonSchema {
  return typeof additionalProperties === "object" ? additionalProperties : {};
}

function at(schema: JsonSchema, path: readonly PropertyKey[]): JsonSchema {
  return path.reduce<JsonSchema>(
    (here, step) =>
      here.type === "array"
        ? (here.items ?? {})
        : (here.properties?.[String(step)] ?? valueOf(here)),
    schema,
  );
}

/** What may stand at `path` of a value of the schema, in words. */
export function allowedAt(schema: z.ZodType, path: readonly PropertyKey[]): string {
  return typeText(at(jsonSchema(schema), path));
}

/** The keys that the mapping at `path` may have; none where they are free. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  return Object.keys(at(jsonSchema(schema), path).properties ?? {});
}

function entry(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

/** Every key of the schema with its documentation, in the schema's order, mappings before their keys. */
export function settingTexts(schema: z.ZodType): SettingText[] {
  const defaults: unknown = schema.parse({});
  const visit = (path: readonly string[], here: JsonSchema): SettingText[] => {
    const inner = Object.entries(
      here.properties ?? (valueOf(here).properties ? { [anyKey]: valueOf(here) } : {}),
    ).flatMap(([key, value]) => visit([...path, key], value));
    if (path.length === 0 || path.at(-1) === anyKey) return inner;
    // A value that is transformed has lost its default in the schema, but not in what is read.
    const fallback = here.default ?? path.reduce(entry, defaults);
    return [
      { path, type: typeText(here), default: fallback, description: here.description ?? "" },
      ...inner,
    ];
  };
  return visit([], jsonSchema(schema));
}
