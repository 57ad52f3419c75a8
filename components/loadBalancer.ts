import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import { AcmeAccount } from "./acmeAccount";
import {
  acmeFiles,
  closeSeconds,
  edgePem,
  endpointsPem,
  loadBalancerFiles,
} from "./loadBalancer.files";
import type { Machines } from "./machines";
import type { Node, Workload } from "./node";
import { tlsFiles, type Pki } from "./pki";
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
    const account =
      tier.nodes.length > 0 && args.plan.settings.loadBalancer.certificate === "acme"
        ? new AcmeAccount(`${name}-acme`, { parent: this })
        : undefined;
    this.nodes = rollOut(this, {
      ...args,
      tier,
      workload: (node) => {
        const plain = workload(node, args, image?.reference ?? "");
        return account ? withAcme(plain, node, args, account) : plain;
      },
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

/** The workload of a node where ACME brings the edge's certificate. */
function withAcme(
  plain: Workload,
  { key }: PlannedNode,
  { plan }: LoadBalancerArgs,
  account: AcmeAccount,
): Workload {
  const { directoryAuthority } = plan.settings.loadBalancer.acme;
  return {
    ...plain,
    files: {
      ...plain.files,
      [acmeFiles.accountKey]: account.key,
      [acmeFiles.answer]: account.answer,
      ...(directoryAuthority !== undefined && {
        [acmeFiles.directoryAuthority]: directoryAuthority,
      }),
    },
    volumes: { [`holdfast-${key}`]: acmeFiles.kept },
  };
}

/** The certificates are by what clients, tiers and the other load balancer know the node. */
function filesOf(
  node: PlannedNode,
  { plan, pki, certificate }: LoadBalancerArgs,
): Workload["files"] {
  const names = plan.backends
    .filter(({ vip, ports }) => vip === "internal" && ports.some(({ tls }) => tls))
    .map(({ endpoint }) => endpoint);
  const leaf = pki.node(node, { names, addresses: plan.vips ? [plan.vips.internal] : [] });
  return {
    ...loadBalancerFiles(plan, node),
    ...tlsFiles(pki, leaf),
    [edgePem]: certificate,
    [endpointsPem]: pulumi.secret(pulumi.concat(leaf.certificatePem, leaf.privateKeyPem)),
  };
}

function workload(
  node: PlannedNode,
  args: LoadBalancerArgs,
  image: pulumi.Input<string>,
): Workload {
  const { drainSeconds } = args.plan.settings.loadBalancer;
  return {
    image,
    files: filesOf(node, args),
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
    stopTimeoutSeconds: closeSeconds + drainSeconds + 5,
  };
}
