import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import { closeSeconds, edgePem, endpointsPem, loadBalancerFiles } from "./loadBalancer.files";
import type { Machines } from "./machines";
import type { Node, Workload } from "./node";
import { tlsFolder, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface LoadBalancerArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  /** Certificate and private key of the edge in one PEM, secret. */
  readonly certificate: pulumi.Input<string>;
}

/** The pair in front of everything: HAProxy and keepalived, virtual addresses that outlive a node. */
export class LoadBalancer extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:LoadBalancer";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: LoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(LoadBalancer.type, name, {}, opts);
    const tier = args.plan.tiers.loadBalancer;
    const image =
      tier.nodes.length > 0 ? this.roleImage(`${name}-image`, args.registry) : undefined;
    this.nodes = rollOut(this, {
      ...args,
      tier,
      workload: (node) => workload(node, args, image?.reference ?? ""),
      after: [],
    });
    this.gates = gatesOf(this.nodes);
    this.registerOutputs({});
  }

  private roleImage(name: string, registry: Registry): RoleImage {
    return new RoleImage(
      name,
      {
        role: "load-balancer",
        context: "images/load-balancer",
        programs: { "supervisor.js": "agents/supervisor/main.ts" },
        registry,
      },
      { parent: this },
    );
  }
}

function workload(
  node: PlannedNode,
  args: LoadBalancerArgs,
  image: pulumi.Input<string>,
): Workload {
  const { plan, certificate } = args;
  return {
    image,
    files: { ...loadBalancerFiles(plan, node), [edgePem]: certificate, ...tierFiles(node, args) },
    capabilities: [
      "KILL",
      "NET_ADMIN",
      "NET_BIND_SERVICE",
      "NET_RAW",
      "SETGID",
      "SETUID",
      "SYS_NICE",
    ],
    // It sets network parameters of its machine, which a container sees read-only.
    hostFolders: { "/proc/sys/net": "/machine/proc/sys/net" },
    memoryMegabytes: 1024,
    stopTimeoutSeconds: closeSeconds + plan.settings.loadBalancer.drainSeconds + 5,
  };
}

/** By what the tiers know the node, and it the nodes that it sends them to. */
function tierFiles(
  node: PlannedNode,
  { plan, pki }: LoadBalancerArgs,
): Record<string, pulumi.Input<string>> {
  const names = plan.backends
    .filter(({ vip, ports }) => vip === "internal" && ports.some(({ tls }) => tls))
    .map(({ endpoint }) => endpoint);
  const leaf = pki.node(node, { names, addresses: plan.vips ? [plan.vips.internal] : [] });
  return {
    [`${tlsFolder}/ca.pem`]: pki.caCertificate,
    [endpointsPem]: pulumi.secret(pulumi.concat(leaf.certificatePem, leaf.privateKeyPem)),
  };
}
