import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

const hoursPerYear = 8766;
const renewalHours = 120 * 24;

export interface PkiArgs {
  /** Addresses that the edge's certificate is valid for. */
  readonly edgeAddresses: readonly string[];
  /** DNS names that the edge's certificate is valid for. Default: none. */
  readonly edgeNames?: readonly string[];
}

/**
 * The stack's certificate authority and its certificates. They are valid for a year and renewed by
 * any `pulumi up` in the last 120 days, which rolls the nodes that use them.
 */
export class Pki extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Pki";

  /** The authority's certificate, PEM, for clients to trust. */
  readonly caCertificate: pulumi.Output<string>;
  /** Certificate and private key of the edge in one PEM, secret. */
  readonly edgePem: pulumi.Output<string>;
  private readonly ca: { key: tls.PrivateKey; certificate: tls.SelfSignedCert };

  constructor(name: string, args: PkiArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Pki.type, name, {}, opts);
    this.ca = this.authority(`${name}-ca`);
    this.caCertificate = this.ca.certificate.certPem;
    this.edgePem = this.leaf(`${name}-edge`, "edge", args.edgeAddresses, args.edgeNames ?? []);
    this.registerOutputs({ caCertificate: this.caCertificate });
  }

  private authority(name: string): { key: tls.PrivateKey; certificate: tls.SelfSignedCert } {
    const key = new tls.PrivateKey(
      `${name}-key`,
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { parent: this },
    );
    const certificate = new tls.SelfSignedCert(
      name,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: `holdfast ${pulumi.getStack()}`, organization: "Holdfast" },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: 10 * hoursPerYear,
        earlyRenewalHours: 2 * hoursPerYear,
        allowedUses: ["cert_signing", "crl_signing", "digital_signature"],
      },
      { parent: this },
    );
    return { key, certificate };
  }

  private leaf(
    name: string,
    commonName: string,
    addresses: readonly string[],
    names: readonly string[],
  ): pulumi.Output<string> {
    const key = new tls.PrivateKey(
      `${name}-key`,
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { parent: this },
    );
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName },
        ipAddresses: [...addresses],
        dnsNames: [...names],
      },
      { parent: this },
    );
    const certificate = new tls.LocallySignedCert(
      name,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: this.ca.key.privateKeyPem,
        caCertPem: this.ca.certificate.certPem,
        validityPeriodHours: hoursPerYear,
        earlyRenewalHours: renewalHours,
        allowedUses: ["digital_signature", "key_encipherment", "server_auth"],
      },
      { parent: this },
    );
    return pulumi.secret(pulumi.concat(certificate.certPem, key.privateKeyPem));
  }
}
