import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { firewallCloseScript, firewallOpenScript } from "../model/firewall";
import type { AllowedElement } from "../model/connections";
import type { PlannedMachine } from "../model/stack";

/** What a source of machines hands over: a machine that exists and answers. */
export interface MachineHandle {
  /** Changes when the machine becomes another one; its nodes are then replaced. */
  readonly identity: pulumi.Output<string>;
  /** URL of its Docker engine (`ssh://root@10.77.0.21:22`), known once the engine answers. */
  readonly engine: pulumi.Output<string>;
  readonly sshOptions: readonly string[];
  readonly privateKey: pulumi.Output<string>;
  readonly hostKey: pulumi.Output<string>;
  readonly registryAuth: pulumi.Output<docker.types.input.ProviderRegistryAuth[]>;
}

export interface MachineArgs {
  /** The machine as planned. */
  readonly planned: PlannedMachine;
  /** Makes it, or takes it from the inventory; what it makes is a child of this component. */
  readonly provide: (parent: pulumi.Resource, dependsOn: pulumi.Resource[]) => MachineHandle;
  /** Connections that its firewall lets in. */
  readonly allowed: readonly AllowedElement[];
  /** Gates of the nodes that must be in service before this machine may be made or replaced. */
  readonly after: readonly pulumi.Resource[];
}

/** A VM that carries nodes: its Docker engine reached over SSH, its firewall. */
export class Machine extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Machine";

  readonly planned: PlannedMachine;
  readonly provider: docker.Provider;
  readonly identity: pulumi.Output<string>;
  /** What a node must wait for. */
  readonly ready: readonly pulumi.Resource[];
  private readonly connection: pulumi.Input<command.types.input.remote.ConnectionArgs>;
  private readonly allowed: readonly AllowedElement[];

  constructor(name: string, args: MachineArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Machine.type, name, {}, opts);
    this.planned = args.planned;
    this.allowed = args.allowed;

    const handle = args.provide(this, [...args.after]);
    this.identity = handle.identity;
    this.connection = connectionTo(args.planned, handle);
    this.provider = new docker.Provider(
      `${name}-engine`,
      {
        host: handle.engine,
        sshOpts: [...handle.sshOptions],
        registryAuth: handle.registryAuth,
      },
      { parent: this },
    );
    const opened = new command.remote.Command(
      `${name}-firewall`,
      {
        connection: this.connection,
        create: "bash -s",
        stdin: firewallOpenScript(args.allowed),
        triggers: [handle.identity],
        addPreviousOutputInEnv: false,
      },
      { parent: this, deleteBeforeReplace: true },
    );
    this.ready = [opened];
    this.registerOutputs({ address: args.planned.address });
  }

  /** Closes what only the nodes before this update needed, once \`after\` are in service. */
  closeFirewall(after: readonly pulumi.Resource[]): void {
    new command.remote.Command(
      `${this.planned.key}-firewall-closed`,
      {
        connection: this.connection,
        create: "bash -s",
        stdin: firewallCloseScript(this.allowed),
        triggers: [this.identity],
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn: [...this.ready, ...after], deleteBeforeReplace: true },
    );
  }
}

function connectionTo(
  planned: PlannedMachine,
  handle: MachineHandle,
): pulumi.Input<command.types.input.remote.ConnectionArgs> {
  return {
    // The engine's URL is known once the machine answers: the command waits for that.
    host: handle.engine.apply(() => planned.ssh.host),
    port: planned.ssh.port,
    user: planned.ssh.user,
    privateKey: handle.privateKey,
    hostKey: handle.hostKey,
    perDialTimeout: 5,
  };
}
