import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import {
  accountsOf,
  mysqlAccounts,
  mysqlClusterFiles,
  mysqlFileNames,
  type AccountName,
} from "./mysqlCluster.files";
import { mysqlEndpoints } from "./mysqlCluster.tier";
import { type Node, type Workload } from "./node";
import type { Passwords } from "./passwords";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { formGroup, gatesOf, rollOut, type RollArgs } from "./roll";

export interface MysqlClusterArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  readonly passwords: Passwords;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** Name under which the password of a database account is generated. */
export const mysqlPassword = (account: AccountName) => `mysql-${account}`;

/** A folder in memory for the image's user alone. */
const ownFolder = "uid=999,gid=999,mode=0750";

/** Seconds that the server may take to write down what it holds, after the sessions have ended. */
const shutdownSeconds = 30;

/** MySQL Group Replication with one primary; each member has an agent that decides with its peers. */
export class MysqlCluster extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:MysqlCluster";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: MysqlClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super(MysqlCluster.type, name, {}, opts);
    const tier = args.plan.tiers.mysqlCluster;
    if (tier.nodes.length === 0) {
      this.nodes = [];
      this.gates = args.after;
    } else {
      const roll: RollArgs = {
        ...args,
        usesPasswords: true,
        tier,
        workload: this.workload(name, args),
        service: { oneOfBackends: Object.values(mysqlEndpoints) },
        startTimeoutSeconds: args.plan.settings.mysqlCluster.startTimeoutSeconds,
      };
      this.nodes = rollOut(this, roll);
      this.gates = [...gatesOf(this.nodes), formGroup(this, `${name}-group`, roll, this.nodes)];
    }
    this.registerOutputs({});
  }

  private workload(
    name: string,
    { plan, registry, pki, passwords }: MysqlClusterArgs,
  ): (node: PlannedNode) => Workload {
    const settings = plan.settings.mysqlCluster;
    const image = new RoleImage(
      `${name}-image`,
      {
        role: "mysql",
        context: "images/mysql",
        programs: { "agent.js": "agents/mysql/main.ts" },
        registry,
      },
      { parent: this },
    );
    const groupName = new random.RandomUuid(`${name}-group-name`, {}, { parent: this }).result;
    const accounts = this.accounts(plan, passwords);
    return (node) => ({
      image: image.reference,
      files: {
        ...texts(
          mysqlFileNames,
          groupName.apply((id) => mysqlClusterFiles(plan, node, id)),
        ),
        "/etc/holdfast/accounts.json": accounts,
        ...tlsFiles(
          pki,
          pki.node(node, { names: ["mysql"], addresses: plan.vips ? [plan.vips.internal] : [] }),
        ),
      },
      volumes: { [`holdfast-${node.key}`]: "/var/lib/mysql" },
      tmpfs: { "/run/mysqld": ownFolder, "/tmp": ownFolder },
      memoryMegabytes: settings.memoryMegabytes,
      stopTimeoutSeconds: settings.drainSeconds + shutdownSeconds,
    });
  }

  /** Content of `accounts.json`, secret. */
  private accounts(plan: MysqlClusterArgs["plan"], passwords: Passwords): pulumi.Output<string> {
    const { database } = plan.settings.mysqlCluster;
    const { generation } = plan.settings.passwords;
    const accepted = accountsOf(plan).map((account) =>
      passwords.of(mysqlPassword(account)).accepted.apply((list) => [account, list] as const),
    );
    return pulumi.secret(
      pulumi.all(accepted).apply((entries) => {
        const known = Object.fromEntries(entries) as Record<AccountName, readonly string[]>;
        return `${JSON.stringify(mysqlAccounts(database, generation, known), null, 2)}\n`;
      }),
    );
  }
}

/** Files whose names are known before their content. */
function texts(
  names: readonly string[],
  rendered: pulumi.Output<Readonly<Record<string, string>>>,
): Record<string, pulumi.Output<string>> {
  return Object.fromEntries(
    names.map((file) => [file, rendered.apply((files) => files[file] ?? "")]),
  );
}
