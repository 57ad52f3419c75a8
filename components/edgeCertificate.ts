import * as pulumi from "@pulumi/pulumi";
import { endOfChain, expiryWarning } from "../model/certificate";
import type { StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { LoadBalancerSettings } from "./loadBalancer.tier";
import type { Pki } from "./pki";

type Plan = StackPlan<typeof tiers>;

/** Where the edge's certificate may come from; each gives certificates and private key as one PEM. */
const sources: Readonly<
  Record<LoadBalancerSettings["certificate"], (plan: Plan, pki: Pki) => pulumi.Input<string>>
> = {
  stack: ({ vips, settings }, pki) => {
    const { hostnames } = settings.loadBalancer;
    const leaf = pki.edge({ names: hostnames, addresses: vips ? [vips.edge] : [] });
    return pulumi.concat(leaf.certificatePem, leaf.privateKeyPem);
  },
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

/** Certificates and private key of the edge in one PEM, secret, as HAProxy reads them. */
export function edgeCertificate(plan: Plan, pki: Pki): pulumi.Output<string> {
  return pulumi.secret(sources[plan.settings.loadBalancer.certificate](plan, pki));
}
