import * as pulumi from "@pulumi/pulumi";
import { tlsService } from "../model/gate";
import type { PlannedNode, StackPlan } from "../model/stack";
import { servedStage } from "../model/tls";
import type { tiers } from "../tiers";
import {
  dataEnvironment,
  listenEnvironment,
  secretsFolder,
  type DatabaseUser,
} from "./appPool.files";
import { tlsSecrets } from "./appPool.tier";
import type { Machines } from "./machines";
import { Migration } from "./migration";
import { mysqlPassword } from "./mysqlCluster";
import type { Node, Workload } from "./node";
import type { Passwords } from "./passwords";
import type { Pki } from "./pki";
import { redisPassword } from "./redisCache";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface AppPoolArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where a sample application is pushed when the settings name no image. */
  readonly registry: Registry;
  readonly pki: Pki;
  readonly passwords: Passwords;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** Sample applications: their programs, and how they migrate a database. */
const samples = {
  hello: { programs: { "hello.js": "apps/hello/main.ts" }, migrationCommand: undefined },
  property: {
    programs: { "property.js": "apps/property/main.ts" },
    migrationCommand: ["node", "/opt/app/property.js", "migrate"],
  },
} as const;

type Files = Record<string, pulumi.Input<string>>;

/** The application: the user's image, or a sample built here. */
export class AppPool extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:AppPool";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: AppPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(AppPool.type, name, {}, opts);
    const settings = args.plan.settings.appPool;
    const image = settings.image ?? this.sampleImage(`${name}-image`, args);
    const migrations = this.migrations(`${name}-migration`, args, image);
    this.nodes = rollOut(this, {
      ...args,
      usesPasswords: true,
      tier: args.plan.tiers.appPool,
      workload: (node) => workload(node, args, image),
      service: {
        ...tlsService(
          { port: settings.port, path: settings.readyPath },
          servedStage(args.plan.tiers.appPool),
        ),
        backends: ["app"],
      },
      startTimeoutSeconds: settings.startTimeoutSeconds,
      after: [...args.after, ...migrations],
    });
    this.gates = gatesOf(this.nodes);
    this.registerOutputs({});
  }

  private sampleImage(name: string, { plan, registry }: AppPoolArgs): pulumi.Output<string> {
    const { sample } = plan.settings.appPool;
    const { programs } = samples[sample];
    const image = new RoleImage(
      name,
      { role: sample, context: `apps/${sample}`, programs, registry },
      { parent: this },
    );
    return image.reference;
  }

  private migrations(
    name: string,
    args: AppPoolArgs,
    image: pulumi.Input<string>,
  ): pulumi.Resource[] {
    const { plan, machines, after } = args;
    const settings = plan.settings.appPool;
    const command =
      settings.migrationCommand ??
      (settings.image ? undefined : samples[settings.sample].migrationCommand);
    const [node] = plan.tiers.appPool.nodes;
    if (!command || !node || plan.tiers.mysqlCluster.nodes.length === 0) return [];
    const migration = new Migration(
      name,
      {
        image,
        command,
        environment: { ...settings.environment, ...dataEnvironment(plan, "migration") },
        files: secretFiles(args, "migration"),
        user: settings.user,
        memoryMegabytes: settings.memoryMegabytes,
        node,
        machine: machines.at(node.machine, []),
        timeoutSeconds: settings.migrationTimeoutSeconds,
        after,
      },
      { parent: this },
    );
    return [migration.gate];
  }
}

function workload(node: PlannedNode, args: AppPoolArgs, image: pulumi.Input<string>): Workload {
  const settings = args.plan.settings.appPool;
  return {
    image,
    ...(settings.command && { command: settings.command }),
    ...(settings.user && { user: settings.user }),
    environment: {
      NODE_NAME: node.key,
      ...listenEnvironment(args.plan),
      ...dataEnvironment(args.plan, "app"),
      ...settings.environment,
    },
    files: { ...secretFiles(args, "app"), ...tlsSecretFiles(node, args) },
    ...(settings.healthCommand && { healthCheck: settings.healthCommand }),
    memoryMegabytes: settings.memoryMegabytes,
    stopTimeoutSeconds: settings.stopTimeoutSeconds,
  };
}

/** The operator's secrets and those of the data tiers that the stack has, by path. */
function secretFiles({ plan, pki, passwords }: AppPoolArgs, user: DatabaseUser): Files {
  const hasDatabase = plan.tiers.mysqlCluster.nodes.length > 0;
  const hasCache = plan.tiers.redisCache.nodes.length > 0;
  const files: Files = {
    ...((hasDatabase || hasCache) && { "ca.pem": pulumi.secret(pki.caCertificate) }),
    ...(hasDatabase && { "mysql-password": passwords.of(mysqlPassword(user)).current }),
    ...(hasCache && { "redis-password": passwords.of(redisPassword("app")).current }),
    ...Object.fromEntries(
      Object.entries(plan.settings.appPool.secrets).map(([name, value]) => [
        name,
        pulumi.secret(value),
      ]),
    ),
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [`${secretsFolder}/${name}`, content]),
  );
}

/** With what the node speaks TLS, by path; nothing where it does not. */
function tlsSecretFiles(node: PlannedNode, { plan, pki }: AppPoolArgs): Files {
  if (servedStage(plan.tiers.appPool) === "off") return {};
  const leaf = pki.node(node, { names: [], addresses: [] });
  return {
    // Public, but what stands in this folder is taken for a secret.
    [`${secretsFolder}/${tlsSecrets.authority}`]: pulumi.secret(pki.caCertificate),
    [`${secretsFolder}/${tlsSecrets.certificate}`]: pulumi.secret(leaf.certificatePem),
    [`${secretsFolder}/${tlsSecrets.privateKey}`]: leaf.privateKeyPem,
  };
}
