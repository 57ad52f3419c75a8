import { z } from "zod";
import { alertingSchema, type AlertingSettings } from "./alertsRouting";
import { machinesSchema, registrySchema } from "./machineSettings";
import type { MachinesSettings, RegistrySettings } from "./machineSettings";
import { allowedAt, keysAt } from "./schemaText";
import { sloSchema, type SloSettings } from "./slo";
import type { Placement, TierDeclaration, Tiers } from "./tier";
import { tlsStage } from "./tls";

/** Settings under `holdfast:stack`. */
const stackSchema = z
  .strictObject({
    environment: z
      .enum(["development", "production"])
      .default("development")
      .describe(
        "In `production` an update is refused that makes a single point of failure, runs a container without limits or health check or an image without digest, shows a secret, opens an undeclared port, or lets strangers try SSH.",
      ),
  })
  .readonly();

/** Settings under `holdfast:passwords`. */
const passwordsSchema = z
  .strictObject({
    generation: z
      .int()
      .min(1)
      .default(1)
      .describe("Number of the generated passwords; one more makes new ones and rolls them out."),
    acceptPrevious: z
      .boolean()
      .default(true)
      .describe("True: services accept the passwords of the generation before, too."),
  })
  .readonly();

/** What may become of the authority of the generation before, in the order of a replacement. */
export const previousAuthority = ["signs", "trusted", "dropped"] as const;

/** Settings under `holdfast:pki`. */
const pkiSchema = z
  .strictObject({
    generation: z
      .int()
      .min(1)
      .default(1)
      .describe(
        "Number of the stack's certificate authority; one more makes a new one, which is trusted beside the one before.",
      ),
    previous: z
      .enum(previousAuthority)
      .default("signs")
      .describe(
        "What the authority of the generation before still does: `signs`, so that everybody comes to trust the new one first; `trusted`, while the new one signs; `dropped`. One step in an update, in this order.",
      ),
    leafGeneration: z
      .int()
      .min(1)
      .default(1)
      .describe(
        "Number of the nodes' and the edge's keys; one more makes new keys and certificates.",
      ),
    metricsTls: tlsStage
      .default("require")
      .describe(
        "TLS on the ports for health and metrics, with certificates of the stack's authority that are verified. `off`: none. `prefer`: where load balancers and nodes depend on an answer, both are accepted and TLS is used. `require`: TLS alone; plain text is left on each machine's loopback address. A running stack is switched from one to the next, an update for each: `off`, `prefer`, `require`, or back.",
      ),
  })
  .refine(({ generation, previous }) => generation > 1 || previous === "signs", {
    path: ["previous"],
    error: "nothing, because holdfast:pki.generation is 1 and no authority was before it",
  })
  .readonly();

export type StackSettings = z.output<typeof stackSchema>;
export type PasswordsSettings = z.output<typeof passwordsSchema>;
export type PkiSettings = z.output<typeof pkiSchema>;

/** Settings of a stack, validated and with defaults, by top-level key. */
export type Settings<T extends Tiers = Tiers> = {
  readonly stack: StackSettings;
  readonly machines: MachinesSettings;
  readonly registry: RegistrySettings;
  readonly passwords: PasswordsSettings;
  readonly pki: PkiSettings;
  readonly slo: SloSettings;
  readonly alerting: AlertingSettings;
} & { readonly [K in keyof T]: T[K] extends TierDeclaration<infer S> ? z.output<S> : never };

/** Where the nodes of a tier run, from the settings of any stack; none of a tier without placement. */
export function placementOf(settings: Settings, tier: string): Placement {
  return { count: 0, ...(settings[tier] as unknown as Partial<Placement>) };
}

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
    stack: stackSchema,
    machines: machinesSchema,
    registry: registrySchema,
    passwords: passwordsSchema,
    pki: pkiSchema,
    slo: sloSchema,
    alerting: alertingSchema,
    ...Object.fromEntries(Object.entries(tiers).map(([name, tier]) => [name, tier.settings])),
  };
}

const secretKeys = /(^|\.)(privateKey|password|webhook|deadMansSwitch|secrets(\..*)?)$/;

/** Whether the value at that path of the settings is a secret. */
export const isSecretKey = (path: readonly PropertyKey[]) =>
  secretKeys.test(path.map(String).join("."));

const isScalar = (value: unknown) => typeof value !== "object" || value === null;

/** The value as a message shows it: never a secret, never more than a line. */
function shown(path: readonly PropertyKey[], value: unknown): string {
  if (value === undefined) return "nothing";
  if (isSecretKey(path)) return "a secret value";
  if (Array.isArray(value) && !value.every(isScalar)) return "a list of mappings or lists";
  if (!Array.isArray(value) && !isScalar(value)) return "a mapping";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Under an unknown key may stand a secret whose name was mistyped: text is not shown. */
function shownUnknown(value: unknown): string {
  return typeof value === "string" ? "text" : Array.isArray(value) ? "a list" : shown([], value);
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

/** Number of single-character edits between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split("").entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split("").entries()) {
      next.push(
        Math.min(
          (next[j] ?? 0) + 1,
          (row[j + 1] ?? 0) + 1,
          (row[j] ?? 0) + (letter === other ? 0 : 1),
        ),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function nearest(wrong: string, known: readonly string[]): string | undefined {
  const lower = wrong.toLowerCase();
  const candidates = known
    .map((key) => ({ key, edits: distance(lower, key.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = candidates;
  if (best && best.edits <= (wrong.length < 4 ? 1 : Math.max(2, Math.floor(wrong.length / 3))))
    return best.key;
  return known.find(
    (key) => lower.startsWith(key.toLowerCase()) || key.toLowerCase().startsWith(lower),
  );
}

function unknownKey(path: readonly string[], value: unknown, known: readonly string[]): Problem {
  const meant = nearest(path.at(-1) ?? "", known);
  return {
    key: `holdfast:${path.join(".")}`,
    found: shownUnknown(value),
    allowed: `no such key${meant ? ` (did you mean ${meant}?)` : ""}; the keys are ${known.join(", ")}`,
  };
}

function problemsOf(name: string, schema: z.ZodType, raw: unknown, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [name, ...issue.path.map(String)];
    const value = valueAt(raw, issue.path);
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, issue.path);
      return issue.keys.map((key) => unknownKey([...path, key], valueAt(value, [key]), known));
    }
    const key = `holdfast:${path.join(".")}`;
    if (issue.code === "invalid_key") {
      const allowed = issue.issues.map(({ message }) => message).join("; ");
      return [{ key, found: `the key ${JSON.stringify(path.at(-1))}`, allowed }];
    }
    // A pattern or a rule says in words what it allows; everything else follows from the schema.
    const told =
      issue.code === "custom" || (issue.code === "invalid_format" && issue.format === "regex");
    const allowed = told ? issue.message : allowedAt(schema, issue.path);
    return [{ key, found: shown(issue.path, value), allowed }];
  });
}

/** What could be read, and every mistake in what could not. */
export interface CheckedSettings {
  readonly problems: readonly Problem[];
  /** Settings by top-level key; those with a mistake are missing. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Checks each top-level key by itself; see `parseSettings`. */
export function checkSettings(
  tiers: Tiers,
  raw: Readonly<Record<string, unknown>>,
): CheckedSettings {
  const schemas = settingsSchemas(tiers);
  const problems: Problem[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(raw)) {
    if (!(name in schemas)) problems.push(unknownKey([name], raw[name], Object.keys(schemas)));
  }
  for (const [name, schema] of Object.entries(schemas)) {
    const parsed = schema.safeParse(raw[name] ?? {});
    if (parsed.success) values[name] = parsed.data;
    else problems.push(...problemsOf(name, schema, raw[name], parsed.error));
  }
  return { problems, values };
}

/**
 * Settings from the raw configuration (top-level key without `holdfast:` -> parsed value).
 * Throws a SettingsError that names every wrong key, unknown one, wrong type and missing value.
 * What depends on several values together is checked by `planStack`; `readPlan` does both.
 */
export function parseSettings<T extends Tiers>(
  tiers: T,
  raw: Readonly<Record<string, unknown>>,
): Settings<T> {
  const { problems, values } = checkSettings(tiers, raw);
  if (problems.length > 0) throw new SettingsError(problems);
  return values as Settings<T>;
}
