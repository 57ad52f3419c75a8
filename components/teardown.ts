import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

export interface TeardownArgs {
  /** Gates of every node. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * Tells the guards that the whole stack is going: `pulumi destroy` deletes this first, because it
 * comes after every gate, and an ordinary update never does.
 */
export class Teardown extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Teardown";

  constructor(name: string, args: TeardownArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Teardown.type, name, {}, opts);
    const folder = `"$HOME/.local/state/holdfast/ssh/${pulumi.getStack()}"`;
    new command.local.Command(
      `${name}-notice`,
      {
        create: `rm -f ${folder}/going-down`,
        delete: `mkdir -p ${folder} && touch ${folder}/going-down`,
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn: [...args.after] },
    );
    this.registerOutputs({});
  }
}
