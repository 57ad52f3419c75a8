import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { challengeAnswer, thumbprintOf } from "../model/jwk";

/**
 * The stack's account with an ACME server is its key. It is made here, so that both load balancers
 * have it before they start: whichever orders, either can prove it.
 */
export class AcmeAccount extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:AcmeAccount";

  /** Private key, PEM. Secret. */
  readonly key: pulumi.Output<string>;
  /** What HAProxy answers to a challenge, as a log format. */
  readonly answer: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super(AcmeAccount.type, name, {}, opts);
    const key = new tls.PrivateKey(
      `${name}-key`,
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { parent: this },
    );
    this.key = pulumi.secret(key.privateKeyPem);
    this.answer = key.publicKeyPem.apply((pem) => challengeAnswer(thumbprintOf(pem)));
    this.registerOutputs({});
  }
}
