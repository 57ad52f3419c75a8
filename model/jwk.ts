import { createHash, createPublicKey, type JsonWebKey } from "node:crypto";

/** The members of each kind of key that its thumbprint is made of, in order (RFC 7638, RFC 8037). */
const members: Readonly<Record<string, readonly (keyof JsonWebKey & string)[]>> = {
  EC: ["crv", "kty", "x", "y"],
  OKP: ["crv", "kty", "x"],
  RSA: ["e", "kty", "n"],
};

/** Thumbprint of a public key (RFC 7638) with SHA-256, base64url. Throws for another kind of key. */
export function jwkThumbprint(key: JsonWebKey): string {
  const names = members[key.kty ?? ""];
  if (!names) throw new Error(`found a key of kind ${key.kty}, allowed: EC, OKP, RSA`);
  const canonical = JSON.stringify(Object.fromEntries(names.map((name) => [name, key[name]])));
  return createHash("sha256").update(canonical).digest("base64url");
}

/** Thumbprint of a public key in PEM. */
export function thumbprintOf(publicKeyPem: string): string {
  return jwkThumbprint(createPublicKey(publicKeyPem).export({ format: "jwk" }));
}

/**
 * The answer to a challenge of ACME over HTTP (RFC 8555, 8.3), as a log format of HAProxy: the token
 * that was asked for, and the thumbprint of the account's key.
 */
export function challengeAnswer(thumbprint: string): string {
  return `%[path,field(4,/)].${thumbprint}`;
}
