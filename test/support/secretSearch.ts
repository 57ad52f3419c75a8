/* Looks for secrets where none may be. Pure: what is looked through is gathered elsewhere. */

/** A secret and what people know it by. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** A text that somebody may read: a log, a list of processes, a state file. */
export interface Place {
  readonly name: string;
  readonly text: string;
}

/** A secret that stands somewhere. Never its value: a report must not repeat it. */
export interface Hit {
  readonly secret: string;
  readonly place: string;
  /** How it is written there. */
  readonly form: string;
}

/** Shorter ones would be found by chance. */
const leastLength = 12;

/** Characters of one line of a key that no other key has. */
const lineLength = 40;

/** A line from the middle of a text of several lines, such as a PEM key; else the text itself. */
function needleOf(value: string): string {
  const lines = value.split("\n").filter((line) => line !== "" && !line.startsWith("-----"));
  const long = lines.filter((line) => line.length >= lineLength);
  // The first line of a key is mostly its kind, which every key of that kind shares; a short key has
  // no other.
  return value.trim().includes("\n") ? (long[1] ?? long[0] ?? lines.join("\n")) : value.trim();
}

/** Every form in which programs write a text: as it is, and as they encode it. */
function formsOf(value: string): readonly (readonly [string, string])[] {
  const bytes = Buffer.from(value, "utf8");
  const forms = [
    ["plain text", needleOf(value)],
    ["base64", bytes.toString("base64").replace(/=+$/, "")],
    ["hexadecimal", bytes.toString("hex")],
    ["URL encoding", encodeURIComponent(value)],
    ["JSON", JSON.stringify(value).slice(1, -1)],
  ] as const;
  return forms.filter(
    ([, text], index) => forms.findIndex(([, other]) => other === text) === index,
  );
}

/** Every secret in every place, once for each form. Throws where a secret is too short to tell. */
export function findSecrets(secrets: readonly Secret[], places: readonly Place[]): Hit[] {
  return secrets.flatMap(({ name, value }) => {
    if (needleOf(value).length < leastLength) {
      throw new Error(`secret ${name}: found ${value.length} characters, allowed: at least 12`);
    }
    const forms = formsOf(value);
    return places.flatMap((place) =>
      forms
        .filter(([, text]) => place.text.includes(text))
        .map(([form]) => ({ secret: name, place: place.name, form })),
    );
  });
}

interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** Types of resources that make secrets, with the outputs that hold them. */
const makers: Readonly<Record<string, readonly string[]>> = {
  "random:index/randomPassword:RandomPassword": ["result"],
  "tls:index/privateKey:PrivateKey": ["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"],
};

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const { plaintext } = (value ?? {}) as { plaintext?: unknown };
  return typeof plaintext === "string" ? textOf(JSON.parse(plaintext)) : undefined;
}

/** Every secret that a stack generated, from its state exported with secrets in plain text. */
export function generatedSecrets(state: string): Secret[] {
  const { deployment } = JSON.parse(state) as {
    deployment: { resources?: readonly StateResource[] };
  };
  return (deployment.resources ?? []).flatMap(({ urn, type, outputs = {} }) =>
    (makers[type] ?? []).flatMap((output) => {
      const value = textOf(outputs[output]);
      return value ? [{ name: `${urn.split("::").pop() ?? urn} ${output}`, value }] : [];
    }),
  );
}
