import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Service } from "../model/gate";
import type { PlannedNode, PlannedTier } from "../model/stack";
import type { GateSpec } from "../operations/gate";
import type { Machine } from "./machine";
import { beside } from "./roleImage";

/** What a node runs: the same for every node of a tier, but for its files. */
export interface Workload {
  /** Image with digest, as the machine pulls it. */
  readonly image: pulumi.Input<string>;
  /** Command instead of the image's own. */
  readonly command?: readonly string[];
  /** Environment; never for secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Rendered files by path in the container. Secret content stays secret. */
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
  /** Names that the container knows beside those of its machine; one may have several addresses. */
  readonly hosts?: readonly { readonly host: string; readonly ip: string }[];
  /** Linux capabilities, all others are dropped: `["NET_ADMIN"]`. Default: none. */
  readonly capabilities?: readonly string[];
  /** User of the process, `uid` or `uid:gid`. Default: the image's. */
  readonly user?: string;
  /** Folders in memory, path -> mount options; those that anyone may write are so anyway. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  /** Folders of the machine, path on it -> path in the container. */
  readonly hostFolders?: Readonly<Record<string, string>>;
  /** Folders of the machine that it may only read, path on it -> path in the container. */
  readonly machineFolders?: Readonly<Record<string, string>>;
  /**
   * Named volumes of the machine, name -> path in the container. They are made with the first
   * container and outlive every one of them.
   */
  readonly volumes?: Readonly<Record<string, string>>;
  /** Health check command; `undefined` leaves the image's. */
  readonly healthCheck?: readonly string[];
  readonly memoryMegabytes: number;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly stopTimeoutSeconds: number;
}

export interface NodeArgs {
  readonly planned: PlannedNode;
  readonly machine: Machine;
  /** Settings name of the tier, for labels. */
  readonly tier: string;
  readonly workload: Workload;
  /** What must hold for the node to count as in service. */
  readonly service: Service;
  /** How many of the others must serve while this one is out: 1 in a pool. */
  readonly required: number;
  /** Seconds until it must be in service. */
  readonly startTimeoutSeconds: number;
  /** Every planned node of the tier, this one included. */
  readonly members: readonly PlannedNode[];
  /** The tier of the load balancers, its users; undefined where there is none. */
  readonly balancer: PlannedTier | undefined;
  /** Gates that come before this node: the previous node's, or the previous tier's. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * One replaceable member of a tier on one machine. Whatever changes, image, file or environment,
 * replaces the container; its gate holds the roll until its users see it in service, and before a
 * replacement makes sure that the others can do without it.
 */
export class Node extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Node";

  /** What the next node depends on. */
  readonly gate: pulumi.Resource;
  readonly containerId: pulumi.Output<string>;

  constructor(name: string, args: NodeArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Node.type, name, {}, opts);
    const image = this.pulledImage(name, args);
    const container = this.container(name, args, image);
    this.containerId = container.id;
    this.gate = this.gateOf(name, args, container);
    this.registerOutputs({ containerId: this.containerId });
  }

  private pulledImage(name: string, { machine, workload }: NodeArgs): docker.RemoteImage {
    return new docker.RemoteImage(
      `${name}-image`,
      { name: workload.image, keepLocally: true, pullTriggers: [machine.identity] },
      { parent: this, provider: machine.provider, dependsOn: [...machine.ready], ...beside },
    );
  }

  private container(name: string, args: NodeArgs, image: docker.RemoteImage): docker.Container {
    const { machine, workload, after } = args;
    const command = workload.command && [...workload.command];
    return new docker.Container(
      `${name}-container`,
      {
        name: args.planned.key,
        image: image.imageId,
        ...(command && { command }),
        ...(workload.user && { user: workload.user }),
        hostname: args.planned.key,
        ...(workload.hosts && { hosts: workload.hosts.map((each) => ({ ...each })) }),
        networkMode: "host",
        restart: "always",
        mustRun: true,
        wait: false,
        envs: Object.entries(workload.environment ?? {})
          .map(([key, value]) => `${key}=${value}`)
          .sort(),
        uploads: Object.keys(workload.files)
          .sort()
          .map((file) => ({ file, content: workload.files[file] ?? "", permissions: "0444" })),
        capabilities: {
          drops: ["ALL"],
          ...(workload.capabilities && {
            adds: workload.capabilities.map((capability) => `CAP_${capability}`).sort(),
          }),
        },
        securityOpts: ["no-new-privileges:true"],
        tmpfs: { ...scratchFolders(workload.memoryMegabytes), ...workload.tmpfs },
        volumes: [
          ...Object.entries(workload.hostFolders ?? {}).map(([hostPath, containerPath]) => ({
            hostPath,
            containerPath,
          })),
          ...Object.entries(workload.machineFolders ?? {}).map(([hostPath, containerPath]) => ({
            hostPath,
            containerPath,
            readOnly: true,
          })),
          ...Object.entries(workload.volumes ?? {}).map(([volumeName, containerPath]) => ({
            volumeName,
            containerPath,
          })),
        ],
        ...(workload.healthCheck && {
          healthcheck: {
            tests: ["CMD", ...workload.healthCheck],
            // Each costs the machine a process; in the start period the engine asks every 5 s.
            interval: "30s",
            timeout: "5s",
            retries: 3,
            startPeriod: "30s",
          },
        }),
        memory: workload.memoryMegabytes,
        memorySwap: workload.memoryMegabytes,
        logDriver: "json-file",
        // A service never waits for its log: on a slow disk lines are lost instead.
        logOpts: {
          "max-file": "3",
          "max-size": "10m",
          mode: "non-blocking",
          "max-buffer-size": "4m",
        },
        stopTimeout: workload.stopTimeoutSeconds,
        destroyGraceSeconds: workload.stopTimeoutSeconds,
        labels: Object.entries({
          "holdfast.machine": machine.identity,
          "holdfast.node": args.planned.key,
          "holdfast.stack": pulumi.getStack(),
          "holdfast.tier": args.tier,
          // The provider keeps these where they are no longer given; a label that goes replaces.
          ...(command && { "holdfast.command": JSON.stringify(command) }),
          ...(workload.healthCheck && {
            "holdfast.healthcheck": JSON.stringify(workload.healthCheck),
          }),
        }).map(([label, value]) => ({ label, value })),
      },
      {
        parent: this,
        provider: machine.provider,
        deleteBeforeReplace: true,
        dependsOn: [...machine.ready, ...after],
        // The provider would accept these in place without applying them.
        replaceOnChanges: ["tmpfs"],
      },
    );
  }

  private gateOf(name: string, args: NodeArgs, container: docker.Container): pulumi.Resource {
    return new command.local.Command(
      `${name}-gate`,
      {
        create: "node --import tsx operations/runGate.ts await",
        delete: "node --import tsx operations/runGate.ts guard",
        environment: { HOLDFAST_GATE: JSON.stringify(gateSpec(args)) },
        triggers: [container.id],
        addPreviousOutputInEnv: false,
      },
      { parent: this, deleteBeforeReplace: true },
    );
  }
}

/**
 * The folders that images leave writable for anyone, in memory: what gets in by a hole in a
 * service finds no file to leave behind. A quarter of the container's memory at most, so that a
 * full one is an error of who writes and not the end of the process.
 */
function scratchFolders(memoryMegabytes: number): Record<string, string> {
  const options = `mode=1777,size=${Math.floor(memoryMegabytes / 4)}m`;
  return { "/run/lock": options, "/tmp": options, "/var/tmp": options };
}

/** The gate's description, as plain data: it is recorded in the stack's state. */
export function gateSpec(
  args: Pick<
    NodeArgs,
    "planned" | "service" | "required" | "startTimeoutSeconds" | "members" | "balancer"
  >,
): GateSpec {
  const target = ({ key, machine }: PlannedNode) => ({
    node: key,
    machine: { stack: pulumi.getStack(), machine: machine.key, ...machine.ssh },
  });
  const { nodes: balancers = [], statusPort: port } = args.balancer ?? {};
  return {
    node: args.planned.key,
    service: args.service,
    required: args.required,
    timeoutSeconds: args.startTimeoutSeconds,
    members: args.members.map((node) => ({ ...target(node), address: node.machine.address })),
    balancers:
      port === undefined ? [] : balancers.map((node) => ({ ...target(node), statusPort: port })),
  };
}
