import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { LiveStack, StackOutputs } from "./liveStack";

interface State {
  readonly deployment: {
    readonly resources?: readonly {
      readonly urn: string;
      readonly outputs?: { readonly privateKeyPem?: string | { readonly plaintext: string } };
    }[];
  };
}

/** The key of the stack's authority, in PEM. */
async function authorityKey(stack: LiveStack): Promise<string> {
  const { deployment } = JSON.parse(await stack.state("in plain text")) as State;
  const found = deployment.resources?.find(({ urn }) => urn.endsWith("-ca-key"));
  const key = found?.outputs?.privateKeyPem;
  if (key === undefined) throw new Error(`stack ${stack.name} has no key of an authority`);
  // A secret is recorded as JSON within JSON.
  return typeof key === "string" ? key : (JSON.parse(key.plaintext) as string);
}

/**
 * A certificate for the edge's address from the stack's own authority, which clients go on to trust,
 * and its key as one PEM. It ends in so many days.
 */
export async function edgeCertificate(
  stack: LiveStack,
  { vip, caCertificate }: StackOutputs,
  days: number,
): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-edge-"));
  const file = (name: string) => path.join(folder, name);
  const openssl = (...args: readonly string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  try {
    writeFileSync(file("ca.key"), await authorityKey(stack), { mode: 0o600 });
    writeFileSync(file("ca.pem"), caCertificate);
    writeFileSync(file("ext"), `subjectAltName=IP:${vip}\nextendedKeyUsage=serverAuth\n`);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl("req", ...key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=edge");
    openssl(
      ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key"],
      ...["-CAcreateserial", "-days", String(days), "-extfile", "ext", "-out", "leaf.crt"],
    );
    return readFileSync(file("leaf.crt"), "utf8") + readFileSync(file("leaf.key"), "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
