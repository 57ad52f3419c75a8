import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

interface Subject {
  /** Common name; default: leaf. */
  readonly commonName?: string;
  readonly names?: readonly string[];
  readonly addresses?: readonly string[];
  /** Days that it is valid from now; negative: it has ended. */
  readonly days?: number;
  readonly algorithm?: "ec" | "rsa-1024";
}

/** An authority made with openssl, and the certificates that it issues. */
export class Authority {
  private readonly folder = mkdtempSync(path.join(tmpdir(), "holdfast-authority-"));
  readonly certificate: string;

  constructor() {
    this.openssl("req", "-x509", ...this.newKey("ca", "ec"), "-subj", "/CN=authority");
    this.certificate = this.read("ca.pem");
  }

  issue({
    commonName = "leaf",
    names = ["shop.example.com"],
    addresses = [],
    days = 90,
    algorithm = "ec",
  }: Subject = {}): Issued {
    this.openssl("req", ...this.newKey("leaf", algorithm), "-subj", `/CN=${commonName}`);
    const alternatives = [
      ...names.map((name) => `DNS:${name}`),
      ...addresses.map((address) => `IP:${address}`),
    ];
    writeFileSync(path.join(this.folder, "ext"), `subjectAltName=${alternatives.join(",")}\n`);
    this.openssl(
      ...["x509", "-req", "-in", "leaf.pem", "-CA", "ca.pem", "-CAkey", "ca.key"],
      ...["-CAcreateserial", "-days", String(days), "-extfile", "ext", "-out", "leaf.crt"],
    );
    return { certificate: this.read("leaf.crt"), key: this.read("leaf.key") };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private newKey(name: string, algorithm: "ec" | "rsa-1024"): string[] {
    const kind =
      algorithm === "ec"
        ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        : ["-newkey", "rsa:1024"];
    return [...kind, "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`];
  }

  private read(file: string): string {
    return readFileSync(path.join(this.folder, file), "utf8");
  }

  private openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
  }
}
