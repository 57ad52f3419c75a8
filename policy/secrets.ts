import { isSecretKey } from "../model/settings";
import {
  containerType,
  listAt,
  mapping,
  plain,
  SecretValue,
  textAt,
  type Declared,
} from "./resource";

const isEncrypted = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).join() === "secure" &&
  typeof (value as { secure: unknown }).secure === "string";

const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** `scheme://user:password@host` */
const credentials = /[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/@]+@/i;
const secretName =
  /(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY(_?PEM|_?OPENSSH)?|CREDENTIALS)$/i;

const looksSecret = (text: string) => privateKey.test(text) || credentials.test(text);

/** A file's name is no secret, whatever is in the file. */
const isPath = (text: string) => /^\/[\w./-]+$/.test(text);

/** Secrets of the stack's file that are not encrypted in it. */
export function secretsInFile(settings: unknown, path: readonly string[] = []): string[] {
  if (isEncrypted(settings)) return [];
  if (typeof settings === "object" && settings !== null) {
    return Object.entries(settings).flatMap(([key, value]) => secretsInFile(value, [...path, key]));
  }
  const text = typeof settings === "string" || typeof settings === "number" ? String(settings) : "";
  const key = `holdfast:${path.join(".")}`;
  if (text === "" || !(isSecretKey(path) || looksSecret(text))) return [];
  return [
    `${key} is in plain text in the stack's file; take it out and set it with: pulumi config set --secret --path '${key}'`,
  ];
}

/** Every text in a value that Pulumi does not keep secret, with where it is. */
function openTexts(value: unknown, path: string): { path: string; text: string }[] {
  if (value instanceof SecretValue) return [];
  if (typeof value === "string") return [{ path, text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    openTexts(inner, path === "" ? key : `${path}.${key}`),
  );
}

/** Environment of a container: whoever may look at the container sees it, secret or not. */
function environmentSecrets({ name, inputs }: Declared): string[] {
  return listAt(inputs, "envs").flatMap((entry) => {
    const text = plain(entry);
    if (typeof text !== "string") return [];
    const [variable = ""] = text.split("=", 1);
    const value = text.slice(variable.length + 1);
    if (value === "" || isPath(value)) return [];
    if (!secretName.test(variable) && !looksSecret(value)) return [];
    return [
      `container ${name} has a secret in variable ${variable}, which docker inspect shows; deliver it as a file below /run/secrets`,
    ];
  });
}

/** Files of a container that are secret by their place and not marked as such. */
function openFiles({ name, inputs }: Declared): string[] {
  const uploads = inputs["uploads"];
  if (uploads instanceof SecretValue) return [];
  return listAt(inputs, "uploads").flatMap((upload) => {
    if (upload instanceof SecretValue) return [];
    const file = textAt(mapping(upload), "file") ?? "";
    const content = mapping(upload)["content"];
    if (!/^\/run\/secrets\/|\.key$/.test(file) || typeof content !== "string") return [];
    if (/^-----BEGIN CERTIFICATE-----/.test(content)) return [];
    return [
      `container ${name} has ${file} in plain text in the stack's state; wrap its content in pulumi.secret`,
    ];
  });
}

/** Secrets of a resource that the stack's state, logs or docker inspect would show. */
export function openSecrets(resource: Declared): string[] {
  const { name, type, inputs } = resource;
  const { envs, ...others } = inputs;
  const isContainer = type === containerType;
  const shown = [...openTexts(others, ""), ...(isContainer ? [] : openTexts(envs, "envs"))].filter(
    ({ path, text }) => {
      const key = path.slice(path.lastIndexOf(".") + 1);
      return looksSecret(text) || (secretName.test(key) && text !== "" && !isPath(text));
    },
  );
  return [
    ...shown.map(({ path }) => `${name} shows a secret in ${path}; wrap it in pulumi.secret`),
    ...(isContainer ? [...environmentSecrets(resource), ...openFiles(resource)] : []),
  ];
}
