import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode } from "../model/stack";
import type { JobSpec } from "../operations/job";
import type { Machine } from "./machine";
import { beside } from "./roleImage";

export interface MigrationArgs {
  /** The application's image, with digest. */
  readonly image: pulumi.Input<string>;
  /** Command that migrates and exits with 0, as a list of words. */
  readonly command: readonly string[];
  /** Environment; never for secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Files by path in the container. Secret content stays secret. */
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
  /** User of the process, `uid` or `uid:gid`. Default: the image's. */
  readonly user: string | undefined;
  readonly memoryMegabytes: number;
  /** Node on whose machine it runs. */
  readonly node: PlannedNode;
  readonly machine: Machine;
  readonly timeoutSeconds: number;
  /** Gates that come before: the database's. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The application's migrations, run once for every new image before its nodes roll. Where they
 * fail the update stops, and the nodes of the old version keep serving.
 */
export class Migration extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Migration";

  /** What the application's nodes depend on. */
  readonly gate: pulumi.Resource;

  constructor(name: string, args: MigrationArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Migration.type, name, {}, opts);
    const container = this.container(name, args);
    this.gate = this.gateOf(name, args, container);
    this.registerOutputs({});
  }

  private container(name: string, args: MigrationArgs): docker.Container {
    const { machine } = args;
    const image = new docker.RemoteImage(
      `${name}-image`,
      { name: args.image, keepLocally: true, pullTriggers: [machine.identity] },
      { parent: this, provider: machine.provider, dependsOn: [...machine.ready], ...beside },
    );
    return new docker.Container(
      `${name}-container`,
      {
        name,
        image: image.imageId,
        command: [...args.command],
        ...(args.user && { user: args.user }),
        hostname: name,
        networkMode: "host",
        restart: "no",
        mustRun: false,
        envs: Object.entries(args.environment)
          .map(([key, value]) => `${key}=${value}`)
          .sort(),
        uploads: Object.keys(args.files)
          .sort()
          .map((file) => ({ file, content: args.files[file] ?? "", permissions: "0444" })),
        capabilities: { drops: ["ALL"] },
        securityOpts: ["no-new-privileges:true"],
        memory: args.memoryMegabytes,
        memorySwap: args.memoryMegabytes,
        logDriver: "json-file",
        logOpts: { "max-file": "3", "max-size": "10m" },
        labels: Object.entries({
          "holdfast.machine": machine.identity,
          "holdfast.stack": pulumi.getStack(),
        }).map(([label, value]) => ({ label, value })),
      },
      {
        parent: this,
        provider: machine.provider,
        deleteBeforeReplace: true,
        dependsOn: [...machine.ready, ...args.after],
      },
    );
  }

  private gateOf(name: string, args: MigrationArgs, container: docker.Container): pulumi.Resource {
    const { key, ssh } = args.node.machine;
    const job: JobSpec = {
      container: name,
      purpose: "the migrations",
      machine: { stack: pulumi.getStack(), machine: key, ...ssh },
      timeoutSeconds: args.timeoutSeconds,
    };
    return new command.local.Command(
      `${name}-gate`,
      {
        create: "node --import tsx operations/runJob.ts",
        environment: { HOLDFAST_JOB: JSON.stringify(job) },
        triggers: [container.id],
        addPreviousOutputInEnv: false,
      },
      { parent: this, deleteBeforeReplace: true },
    );
  }
}
