import * as pulumi from "@pulumi/pulumi";
import { endOfChain, expiryWarning, rootOfChain } from "../model/certificate";
import type { StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { LoadBalancerSettings } from "./loadBalancer.tier";
import type { Pki } from "./pki";

/** How a client knows that it has reached the edge. */
export interface EdgeIdentity {
  /** Certificate of the authority to trust, PEM; undefined where it is one whom every system trusts. */
  readonly authority: pulumi.Input<string> | undefined;
  /** Name that the edge's certificate must be valid for; undefined where it is the address. */
  readonly name: string | undefined;
}

type Plan = StackPlan<typeof tiers>;

/** A certificate of the stack's own authority. */
function ownCertificate({ vips, settings }: Plan, pki: Pki): pulumi.Output<string> {
  const { hostnames } = settings.loadBalancer;
  const leaf = pki.edge({ names: hostnames, addresses: vips ? [vips.edge] : [] });
  return pulumi.concat(leaf.certificatePem, leaf.privateKeyPem);
}

/** Where the edge's certificate may come from; each gives certificates and private key as one PEM. */
const sources: Readonly<
  Record<LoadBalancerSettings["certificate"], (plan: Plan, pki: Pki) => pulumi.Input<string>>
> = {
  stack: ownCertificate,
  // Until the first one is issued.
  acme: ownCertificate,
  files: ({ settings }, pki) => {
    const { certificateChain = "", certificateKey = "" } = settings.loadBalancer.secrets;
    const what = "holdfast:loadBalancer.secrets.certificateChain";
    const end = endOfChain(certificateChain);
    pki.tell(what, end);
    const warning = expiryWarning(what, end, new Date());
    if (warning) void pulumi.log.warn(warning);
    return `${certificateChain.trimEnd()}\n${certificateKey.trimEnd()}\n`;
  },
};

/**
 * Certificates and private key of the edge in one PEM, secret, as HAProxy reads them; with ACME what
 * it shows until the first one is issued.
 */
export function edgeCertificate(plan: Plan, pki: Pki): pulumi.Output<string> {
  return pulumi.secret(sources[plan.settings.loadBalancer.certificate](plan, pki));
}

/**
 * By what probes of the edge's address verify its certificate. One from elsewhere is valid for names
 * alone. Its authority is the one at the end of its chain, or told in the settings; otherwise it must
 * be one whom every system trusts, as for any client.
 */
export function edgeIdentity({ settings }: Plan, pki: Pki): EdgeIdentity {
  const { certificate, hostnames, secrets, acme } = settings.loadBalancer;
  const [name] = hostnames;
  switch (certificate) {
    case "stack":
      return { authority: pki.caCertificate, name: undefined };
    case "files":
      return { authority: rootOfChain(secrets.certificateChain ?? ""), name };
    case "acme":
      return { authority: acme.issuingAuthority, name };
  }
}
