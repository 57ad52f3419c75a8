import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { projectRoot } from "../model/rendering";
import { bundle } from "./bundle";

/** Where images are pushed to by this computer and pulled from by the machines. */
export interface Registry {
  /** Name as this computer reaches it, with an optional path: `127.0.0.1:5077`. */
  readonly push: string;
  /** Name as the machines reach it: `10.77.0.4:5000`. */
  readonly pull: string;
  readonly auth: pulumi.Input<docker.types.input.RegistryImageAuthConfig>;
  readonly insecure: boolean;
  /** What must exist before a push. */
  readonly ready: readonly pulumi.Resource[];
}

/**
 * The provider would delete an image before making its successor, and the engine with it every node
 * that runs it, all at once. The new one is made beside the old one instead.
 */
export const beside = { deleteBeforeReplace: false } as const;

export interface RoleImageArgs {
  /** Name of the role, part of the image's name: `web`. */
  readonly role: string;
  /** Folder with the Dockerfile, from the repository's root: `images/web`. */
  readonly context: string;
  /** TypeScript programs to bundle into the context: file name -> entry point. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Values of the Dockerfile's arguments: `{ BASE: "debian:trixie-slim" }`. */
  readonly buildArguments?: Readonly<Record<string, string>>;
  /** Absent for an image that only this computer's engine uses. */
  readonly registry?: Registry;
}

/** The image of a role, built here from its own files and named by their hash. */
export class RoleImage extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:RoleImage";

  /** Id of the image in this computer's engine. */
  readonly imageId: pulumi.Output<string>;
  /** Name with digest under which the machines pull it; empty without a registry. */
  readonly reference: pulumi.Output<string>;

  constructor(name: string, args: RoleImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super(RoleImage.type, name, {}, opts);
    const { folder, hash } = stageContext(args);
    const tag = `holdfast/${args.role}:${hash}`;
    const built = new docker.RemoteImage(
      `${name}-build`,
      {
        name: args.registry ? `${args.registry.push}/${tag}` : tag,
        build: {
          context: folder,
          useLegacyBuilder: true,
          ...(args.buildArguments && { buildArgs: { ...args.buildArguments } }),
        },
        triggers: { content: hash },
        keepLocally: true,
      },
      { parent: this, ...beside },
    );
    this.imageId = built.imageId;
    this.reference = args.registry
      ? pushed(name, built, tag, args.registry, this)
      : pulumi.output("");
    this.registerOutputs({ imageId: this.imageId, reference: this.reference });
  }
}

function pushed(
  name: string,
  built: docker.RemoteImage,
  tag: string,
  registry: Registry,
  parent: pulumi.Resource,
): pulumi.Output<string> {
  const push = new docker.RegistryImage(
    `${name}-push`,
    {
      name: `${registry.push}/${tag}`,
      authConfig: registry.auth,
      insecureSkipVerify: registry.insecure,
      keepRemotely: true,
      triggers: { imageId: built.imageId },
    },
    { parent, dependsOn: [...registry.ready], ...beside },
  );
  const repository = `${registry.pull}/${tag.slice(0, tag.indexOf(":"))}`;
  return pulumi.interpolate`${repository}@${push.sha256Digest}`;
}

/** Files below `folder`, sorted, relative to it. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => statSync(path.join(folder, file)).isFile())
    .sort();
}

/**
 * Copies the context and bundles its programs into a folder below `.build/`, and hashes the whole:
 * the image changes with its own files and arguments and with nothing else.
 */
function stageContext(args: RoleImageArgs): { folder: string; hash: string } {
  const folder = path.join(".build", "images", args.role);
  const staged = path.join(projectRoot, folder);
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(staged, { recursive: true });
  cpSync(path.join(projectRoot, args.context), staged, {
    recursive: true,
    filter: (source) => !source.endsWith(".ts"),
  });
  for (const [file, entry] of Object.entries(args.programs ?? {})) {
    writeFileSync(path.join(staged, file), bundle(entry));
  }
  const hash = createHash("sha256");
  for (const file of filesBelow(staged)) {
    const at = path.join(staged, file);
    hash.update(`${file}\0${(statSync(at).mode & 0o111) !== 0 ? "x" : "-"}\0`);
    hash.update(readFileSync(at));
  }
  if (args.buildArguments) hash.update(JSON.stringify(args.buildArguments));
  return { folder, hash: hash.digest("hex").slice(0, 16) };
}
