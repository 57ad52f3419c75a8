import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { findSecrets, generatedSecrets } from "../support/secretSearch";

const password = { name: "a password", value: "k3Jx9QvT2mZr8LwPa5Yd" };
const newKey = () =>
  generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;
/** One line between the markers. */
const newShortKey = () =>
  generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;
const key = { name: "a key", value: newKey() };

const forms = (text: string, secret = password) =>
  findSecrets([secret], [{ name: "log", text }]).map(({ form }) => form);

describe("a search for secrets", () => {
  it("finds a secret as it is and as programs encode it", () => {
    const { value } = password;
    expect(forms(`mysql --password=${value} --user=app`)).toEqual(["plain text"]);
    expect(forms(Buffer.from(value).toString("base64"))).toEqual(["base64"]);
    expect(forms(Buffer.from(value).toString("hex"))).toEqual(["hexadecimal"]);
    const odd = { name: "odd", value: 'a/b "c" d?e=f+g%' };
    expect(forms(encodeURIComponent(odd.value), odd)).toEqual(["URL encoding"]);
    expect(forms(JSON.stringify({ odd: odd.value }), odd)).toEqual(["JSON"]);
  });

  it("finds a key by a line of it, in whatever way its lines are joined", () => {
    for (const make of [newKey, newShortKey]) {
      const one = { name: "a key", value: make() };
      for (const text of [one.value, JSON.stringify(one.value), one.value.replaceAll("\n", " ")]) {
        expect(forms(text, one)).toContain("plain text");
      }
      expect(forms(make(), one)).toEqual([]);
    }
  });

  it("tells which secret stands where, and never what it is", () => {
    const hits = findSecrets(
      [password, key],
      [
        { name: "here", text: `x ${password.value} y` },
        { name: "there", text: "nothing" },
      ],
    );
    expect(hits).toEqual([{ secret: "a password", place: "here", form: "plain text" }]);
    expect(JSON.stringify(hits)).not.toContain(password.value);
  });

  it("finds nothing where there is nothing, and refuses what it could not tell apart", () => {
    expect(forms("")).toEqual([]);
    expect(forms("k3Jx9QvT2mZr8LwPa5Y")).toEqual([]);
    expect(() => findSecrets([{ name: "pin", value: "1234" }], [])).toThrow("secret pin");
  });
});

describe("the secrets of a stack", () => {
  const secret = (value: string) => ({
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    plaintext: JSON.stringify(value),
  });
  const state = JSON.stringify({
    deployment: {
      resources: [
        { urn: "urn:x::p::holdfast::t::stack", type: "pulumi:pulumi:Stack" },
        {
          urn: "urn:x::p::holdfast::t::passwords-mysql-app-1",
          type: "random:index/randomPassword:RandomPassword",
          outputs: { result: secret("k3Jx9QvT2mZr8LwPa5Yd"), length: 32 },
        },
        {
          urn: "urn:x::p::holdfast::t::pki-ca-key",
          type: "tls:index/privateKey:PrivateKey",
          outputs: { privateKeyPem: "open", publicKeyPem: "public" },
        },
      ],
    },
  });

  it("are what generators made, marked as secret or not", () => {
    expect(generatedSecrets(state)).toEqual([
      { name: "passwords-mysql-app-1 result", value: "k3Jx9QvT2mZr8LwPa5Yd" },
      { name: "pki-ca-key privateKeyPem", value: "open" },
    ]);
    expect(generatedSecrets('{"deployment":{}}')).toEqual([]);
  });
});
