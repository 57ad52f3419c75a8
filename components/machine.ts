import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { firewallCloseScript, firewallOpenScript, firewallShellCommand } from "../model/firewall";
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
  /** Runs a phase of the firewall from this computer. */
  private readonly shellCommand: pulumi.Output<string>;
  private readonly allowed: readonly AllowedElement[];

  constructor(name: string, args: MachineArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Machine.type, name, {}, opts);
    this.planned = args.planned;
    this.allowed = args.allowed;

    const handle = args.provide(this, [...args.after]);
    this.identity = handle.identity;
    this.provider = new docker.Provider(
      `${name}-engine`,
      {
        host: handle.engine,
        // Its source has asked the engine already, and names the machine where it does not answer.
        disableDockerDaemonCheck: true,
        sshOpts: [...handle.sshOptions],
        registryAuth: handle.registryAuth,
      },
      { parent: this },
    );
    const { ssh } = args.planned;
    // The engine's URL is known once the machine answers: the command waits for that.
    this.shellCommand = handle.engine.apply(() =>
      firewallShellCommand(name, [
        ...["ssh", ...handle.sshOptions],
        ...["-p", String(ssh.port), "-l", ssh.user, ssh.host],
      ]),
    );
    const opened = this.firewallPhase("firewall", firewallOpenScript(args.allowed), []);
    this.ready = [opened];
    this.registerOutputs({ address: args.planned.address });
  }

  /** Closes what only the nodes before this update needed, once `after` are in service. */
  closeFirewall(after: readonly pulumi.Resource[]): void {
    this.firewallPhase("firewall-closed", firewallCloseScript(this.allowed), [
      ...this.ready,
      ...after,
    ]);
  }

  private firewallPhase(
    phase: string,
    script: string,
    dependsOn: pulumi.Resource[],
  ): command.local.Command {
    return new command.local.Command(
      `${this.planned.key}-${phase}`,
      {
        create: this.shellCommand,
        stdin: script,
        triggers: [this.identity],
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn, deleteBeforeReplace: true },
    );
  }
}
