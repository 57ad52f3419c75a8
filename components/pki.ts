import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { earliestEnd, type CertificateEnd } from "../model/certificate";
import type { PkiSettings } from "../model/settings";
import type { PlannedNode } from "../model/stack";

const hoursPerYear = 8766;
const renewalHours = 120 * 24;

/** A certificate and its private key, PEM. */
export interface Leaf {
  readonly certificatePem: pulumi.Output<string>;
  /** Secret. */
  readonly privateKeyPem: pulumi.Output<string>;
}

/** What a certificate is valid for. */
export interface Names {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

interface LeafSubject extends Names {
  readonly commonName: string;
  readonly uses: readonly string[];
}

interface Authority {
  readonly key: tls.PrivateKey;
  readonly certificate: tls.SelfSignedCert;
}

/** Name of what has generations; the first has none in its name. */
const generationName = (name: string, generation: number) =>
  generation === 1 ? name : `${name}-${generation}`;

/**
 * The stack's certificate authority and its certificates. They are valid for a year and renewed by
 * any `pulumi up` in the last 120 days, which rolls the nodes that use them.
 *
 * The authority is replaced in stages, one an update: the new one is trusted beside the old one,
 * which still signs; the new one signs; the old one is gone. So in the middle of each roll the nodes
 * that were rolled and those that were not accept each other's certificates.
 */
export class Pki extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Pki";

  /** Certificates of the authorities to trust, one PEM after another, the newest first. */
  readonly caCertificate: pulumi.Output<string>;
  /** When each certificate ends that was made or told of so far, by its name. */
  private readonly ends: Record<string, pulumi.Output<string>> = {};
  /** Signs every leaf. */
  private readonly signer: Authority;

  constructor(
    private readonly name: string,
    private readonly settings: PkiSettings,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(Pki.type, name, {}, opts);
    const { generation, previous } = settings;
    const newest = this.authority(generation);
    const before =
      generation > 1 && previous !== "dropped" ? this.authority(generation - 1) : undefined;
    this.signer = before && previous === "signs" ? before : newest;
    this.caCertificate = before
      ? pulumi.concat(newest.certificate.certPem, before.certificate.certPem)
      : newest.certificate.certPem;
    this.registerOutputs({ caCertificate: this.caCertificate });
  }

  /** Tells of a certificate that comes from elsewhere. */
  tell(certificate: string, end: Date): void {
    this.ends[certificate] = pulumi.output(end.toISOString());
  }

  /** The first of all certificates to end; to be asked when all are made. */
  firstEnd(): pulumi.Output<CertificateEnd> {
    return pulumi.all(this.ends).apply(earliestEnd);
  }

  /** Certificate of what clients connect to. */
  edge(names: Names): Leaf {
    return this.leaf(`${this.name}-edge`, {
      commonName: "edge",
      ...names,
      uses: ["server_auth"],
    });
  }

  /**
   * Certificate of a node, as server and as client. It is valid for the node's key and `names`, the
   * address of its machine, `addresses`, and loopback.
   */
  node({ key, machine }: PlannedNode, { names, addresses }: Names): Leaf {
    return this.leaf(`${this.name}-${key}`, {
      commonName: key,
      names: [key, ...names, "localhost"],
      addresses: [machine.address, ...addresses, "127.0.0.1"],
      uses: ["server_auth", "client_auth"],
    });
  }

  private authority(generation: number): Authority {
    const name = generationName(`${this.name}-ca`, generation);
    const key = new tls.PrivateKey(
      `${name}-key`,
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { parent: this },
    );
    const certificate = new tls.SelfSignedCert(
      name,
      {
        privateKeyPem: key.privateKeyPem,
        subject: {
          // Two of one name would be told apart by their keys alone, which not every client does.
          commonName: ["holdfast", pulumi.getStack(), ...(generation > 1 ? [generation] : [])].join(
            " ",
          ),
          organization: "Holdfast",
        },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: 10 * hoursPerYear,
        earlyRenewalHours: 2 * hoursPerYear,
        allowedUses: ["cert_signing", "crl_signing", "digital_signature"],
      },
      { parent: this },
    );
    this.ends[name] = certificate.validityEndTime;
    return { key, certificate };
  }

  private leaf(subjectName: string, subject: LeafSubject): Leaf {
    const name = generationName(subjectName, this.settings.leafGeneration);
    const key = new tls.PrivateKey(
      `${name}-key`,
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { parent: this },
    );
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: subject.commonName },
        ipAddresses: [...subject.addresses],
        dnsNames: [...subject.names],
      },
      { parent: this },
    );
    const certificate = new tls.LocallySignedCert(
      name,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: this.signer.key.privateKeyPem,
        caCertPem: this.signer.certificate.certPem,
        validityPeriodHours: hoursPerYear,
        earlyRenewalHours: renewalHours,
        allowedUses: ["digital_signature", "key_encipherment", ...subject.uses],
      },
      { parent: this },
    );
    this.ends[name] = certificate.validityEndTime;
    return {
      certificatePem: certificate.certPem,
      privateKeyPem: pulumi.secret(key.privateKeyPem),
    };
  }
}

/** Where a node's certificate, its key and the authorities to trust stand in the container. */
export const tlsFolder = "/etc/holdfast/tls";

/** Files of a node that speaks TLS with other nodes, path -> content. */
export function tlsFiles(pki: Pki, leaf: Leaf): Record<string, pulumi.Output<string>> {
  return {
    [`${tlsFolder}/ca.pem`]: pki.caCertificate,
    [`${tlsFolder}/node.pem`]: leaf.certificatePem,
    [`${tlsFolder}/node.key`]: leaf.privateKeyPem,
  };
}
