/** A value that is known only once the resources it depends on exist. */
export const unknown = Symbol("unknown");

/** A value that Pulumi keeps secret. */
export class SecretValue {
  constructor(readonly value: unknown) {}
}

/** A resource as the rules see it, before it is made or changed. */
export interface Declared {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** True where it is on a machine of the stack, not on the deployer's own engine. */
  readonly onMachine: boolean;
  /** Inputs as plain data, in places `unknown` or a SecretValue. */
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** A resource with the resources that its properties are made from, as known at the end. */
export interface Finished extends Declared {
  /** URNs by property. */
  readonly madeFrom: Readonly<Record<string, readonly string[]>>;
}

export const containerType = "docker:index/container:Container";
export const imageType = "docker:index/remoteImage:RemoteImage";

/** The value without the mark of a secret. */
export const plain = (value: unknown): unknown =>
  value instanceof SecretValue ? plain(value.value) : value;

/** The text at a key; undefined where there is none, or none that is known. */
export function textAt(inputs: Declared["inputs"], key: string): string | undefined {
  const value = plain(inputs[key]);
  return typeof value === "string" ? value : undefined;
}

/** The list at a key, secret or not; empty where there is none, or none that is known. */
export function listAt(inputs: Declared["inputs"], key: string): readonly unknown[] {
  const value = plain(inputs[key]);
  return Array.isArray(value) ? value : [];
}

/** The mapping at a key, or the value itself as one; empty where there is none that is known. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  const shown = plain(value);
  return typeof shown === "object" && shown !== null && !Array.isArray(shown)
    ? (shown as Readonly<Record<string, unknown>>)
    : {};
}

/** A label of a container; undefined where it has none, or none that is known. */
export function labelOf({ inputs }: Declared, label: string): string | undefined {
  return listAt(inputs, "labels")
    .map(mapping)
    .flatMap((entry) => (entry["label"] === label ? textAt(entry, "value") : undefined))
    .find((value) => value !== undefined);
}

/** A container that runs once and ends, such as a migration. */
export const isJob = ({ inputs }: Declared): boolean => inputs["restart"] === "no";
