import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { PasswordsSettings } from "../model/settings";

/** The password of an account: what to use, and what to accept. All of it secret. */
export interface Password {
  /** What the account's users present. */
  readonly current: pulumi.Output<string>;
  /** What the account's service accepts: the current one first, then the one before it, if any. */
  readonly accepted: pulumi.Output<readonly string[]>;
}

/**
 * Generated passwords, one for each account. They are rotated in stages: with a new generation the
 * services accept the new and the previous one while their users change over, node by node.
 */
export class Passwords extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Passwords";

  private readonly made = new Map<string, Password>();

  constructor(
    private readonly name: string,
    private readonly settings: PasswordsSettings,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(Passwords.type, name, {}, opts);
    this.registerOutputs({});
  }

  /** Password of an account: made at the first call, the same at every other. */
  of(account: string): Password {
    const known = this.made.get(account);
    if (known) return known;
    const { generation, acceptPrevious } = this.settings;
    const current = this.generate(account, generation);
    const accepted =
      acceptPrevious && generation > 1
        ? [current, this.generate(account, generation - 1)]
        : [current];
    const password = { current, accepted: pulumi.all(accepted) };
    this.made.set(account, password);
    return password;
  }

  /** A password that no rotation ever changes: for what could not be read without it. */
  fixed(account: string): pulumi.Output<string> {
    return new random.RandomPassword(
      `${this.name}-${account}`,
      { length: 32, special: false },
      { parent: this },
    ).result;
  }

  private generate(account: string, generation: number): pulumi.Output<string> {
    return new random.RandomPassword(
      `${this.name}-${account}-${generation}`,
      { length: 32, special: false },
      { parent: this },
    ).result;
  }
}
