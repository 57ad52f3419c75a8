import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { BackupKey } from "../operations/backupKeys";
import {
  backupAgentFile,
  backupSecretsFile,
  placeIn,
  storeAuthorityOf,
  storeAuthorityPath,
  storeEnvironment,
  usesLabStore,
  type BackupPlan,
} from "./backup.files";
import { BackupStore } from "./backupStore";
import type { Machines } from "./machines";
import { mysqlPassword } from "./mysqlCluster";
import type { Node, Workload } from "./node";
import type { Passwords } from "./passwords";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface BackupArgs {
  readonly plan: BackupPlan;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  readonly passwords: Passwords;
  /** Name of the lab's network, where there is a lab. */
  readonly labNetwork: pulumi.Input<string> | undefined;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** A folder in memory for the image's user alone. */
const ownFolder = "uid=999,gid=999,mode=0700";

/** Seconds in which the last binary logs reach the store when the node stops. */
const stopTimeoutSeconds = 40;

/** Full backups and binary logs of the database, kept off the stack's machines. */
export class Backup extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:Backup";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];
  /** What it takes to restore without the stack. Secret; undefined where nothing is backed up. */
  readonly key: pulumi.Output<BackupKey | undefined>;

  constructor(name: string, args: BackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super(Backup.type, name, {}, opts);
    const { plan, passwords } = args;
    const tier = plan.tiers.backup;
    if (tier.nodes.length === 0) {
      this.nodes = [];
      this.gates = args.after;
      this.key = pulumi.output(undefined);
    } else {
      const labStore = this.labStore(name, args);
      const { store = labStore?.store ?? "" } = plan.settings.backup;
      // A stack that is made anew has another key, and must not meet what the one before has left.
      const life = new random.RandomId(`${name}-life`, { byteLength: 4 }, { parent: this }).hex;
      const place = pulumi.interpolate`${pulumi.getStack()}-${life}`;
      const key = pulumi.secret({
        name: place,
        lab: labStore !== undefined,
        repository: place.apply((folder) => placeIn(store, folder)),
        // Never rotated: what it has locked, no other key opens.
        password: passwords.fixed("backup-repository"),
        environment: labStore?.environment ?? storeEnvironment(plan.settings.backup),
      });
      this.nodes = rollOut(this, {
        ...args,
        usesPasswords: true,
        after: [...args.after, ...(labStore?.ready ?? [])],
        tier,
        workload: this.workload(name, args, key),
        startTimeoutSeconds: plan.settings.backup.startTimeoutSeconds,
      });
      this.gates = gatesOf(this.nodes);
      this.key = key;
    }
    this.registerOutputs({});
  }

  private labStore(name: string, args: BackupArgs): BackupStore | undefined {
    const { labNetwork: network } = args;
    if (!usesLabStore(args.plan)) return undefined;
    if (network === undefined) throw new Error("holdfast:backup.store: found nothing, and no lab");
    return new BackupStore(`${name}-store`, { ...args, network }, { parent: this });
  }

  private workload(
    name: string,
    { plan, registry, pki, passwords }: BackupArgs,
    key: pulumi.Output<BackupKey>,
  ): Parameters<typeof rollOut>[1]["workload"] {
    const settings = plan.settings.backup;
    const image = new RoleImage(
      `${name}-image`,
      {
        role: "backup",
        context: "images/backup",
        programs: { "agent.js": "agents/backup/main.ts" },
        registry,
      },
      { parent: this },
    );
    const secrets = pulumi
      .all([
        passwords.of(mysqlPassword("backup")).current,
        passwords.of(mysqlPassword("restore")).current,
        key,
      ])
      .apply(([backup, restore, { password, environment }]) =>
        backupSecretsFile({ backup, restore, store: { password, environment } }),
      );
    const authority = storeAuthorityOf(plan);
    const { store, storeCertificate = "" } = settings;
    return (node): Workload => ({
      image: image.reference,
      files: {
        "/etc/holdfast/agent.json": pulumi.unsecret(
          key.apply(({ repository }) => backupAgentFile(plan, node, repository)),
        ),
        "/etc/holdfast/secrets.json": pulumi.secret(secrets),
        ...tlsFiles(pki, pki.node(node, { names: [], addresses: [] })),
        ...(authority && {
          [storeAuthorityPath]: authority === "stack" ? pki.caCertificate : storeCertificate,
        }),
      },
      ...(store?.startsWith("/") && { hostFolders: { [store]: store } }),
      volumes: { [`holdfast-${node.key}`]: "/var/lib/holdfast" },
      tmpfs: { "/run/holdfast": ownFolder, "/tmp": ownFolder },
      memoryMegabytes: settings.memoryMegabytes,
      stopTimeoutSeconds,
    });
  }
}
