import { createHash } from "node:crypto";
import os from "node:os";
import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { backupsFolder } from "../operations/backupKeys";
import { labStoreAddress, labStorePort, type BackupPlan } from "./backup.files";
import type { Passwords } from "./passwords";
import { tlsFiles, type Pki } from "./pki";
import { RoleImage } from "./roleImage";

export interface BackupStoreArgs {
  readonly plan: BackupPlan;
  /** Name of the lab's network. */
  readonly network: pulumi.Input<string>;
  readonly pki: Pki;
  readonly passwords: Passwords;
}

const user = "backup";
const key = "backup-store";

/**
 * The lab's store of backups: a folder of this computer, served to the backup node. The folder is
 * outside Pulumi's hands and outlives the stack.
 */
export class BackupStore extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:BackupStore";

  /** The store as restic names it. */
  readonly store: string;
  /** Environment of restic that opens it. Secret. */
  readonly environment: pulumi.Output<Record<string, string>>;
  /** What a node that uses it waits for. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: BackupStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super(BackupStore.type, name, {}, opts);
    const address = labStoreAddress(args.plan);
    const password = args.passwords.fixed(key);
    this.store = `rest:https://${address}:${labStorePort}`;
    this.environment = pulumi.secret(
      password.apply((text): Record<string, string> => ({
        RESTIC_REST_USERNAME: user,
        RESTIC_REST_PASSWORD: text,
      })),
    );
    this.ready = [this.container(name, address, password, args)];
    this.registerOutputs({ store: this.store });
  }

  private container(
    name: string,
    address: string,
    password: pulumi.Output<string>,
    { network, pki }: BackupStoreArgs,
  ): docker.Container {
    const image = new RoleImage(
      `${name}-image`,
      { role: "backup-store", context: "images/backup-store" },
      { parent: this },
    );
    // Docker would make it for root alone.
    const folder = new command.local.Command(
      `${name}-folder`,
      {
        create: `mkdir -p -m 700 ${backupsFolder}`,
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    const leaf = pki.node(
      {
        key,
        machine: {
          key,
          address,
          ssh: { host: address, port: 22, user: "root" },
          hostKey: undefined,
          interface: "eth0",
          failureDomain: key,
        },
      },
      { names: [], addresses: [] },
    );
    const { uid, gid, homedir } = os.userInfo();
    const files = {
      ...tlsFiles(pki, leaf),
      "/etc/holdfast/htpasswd": pulumi.secret(password.apply((text) => `${user}:${hash(text)}\n`)),
    };
    return new docker.Container(
      name,
      {
        name: `holdfast-${pulumi.getStack()}-${key}`,
        hostname: key,
        image: image.imageId,
        // The files are this user's, like the folder.
        user: `${uid}:${gid}`,
        networkMode: "bridge",
        networksAdvanced: [{ name: network, ipv4Address: address }],
        volumes: [{ hostPath: backupsFolder.replace(/^~/, homedir), containerPath: "/backups" }],
        uploads: Object.entries(files).map(([file, content]) => ({
          file,
          content,
          permissions: "0444",
        })),
        capabilities: { drops: ["ALL"] },
        securityOpts: ["no-new-privileges:true"],
        restart: "unless-stopped",
        logDriver: "json-file",
        logOpts: { "max-file": "2", "max-size": "10m" },
        labels: [{ label: "holdfast.stack", value: pulumi.getStack() }],
      },
      { parent: this, deleteBeforeReplace: true, dependsOn: [folder] },
    );
  }
}

/** The password as an htpasswd file has it; it is long and random, so a plain hash is enough. */
function hash(password: string): string {
  return `{SHA}${createHash("sha1").update(password).digest("base64")}`;
}
