import * as pulumi from "@pulumi/pulumi";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { tiers } from "../tiers";
import type { Machines } from "./machines";
import type { Node, Workload } from "./node";
import type { Passwords } from "./passwords";
import { tlsFiles, type Pki } from "./pki";
import {
  redisAccountsOf,
  redisCacheFiles,
  redisSecretFileNames,
  redisSecretFiles,
  type RedisAccount,
  type RedisPasswords,
} from "./redisCache.files";
import { RoleImage, type Registry } from "./roleImage";
import { gatesOf, rollOut } from "./roll";

export interface RedisCacheArgs {
  readonly plan: StackPlan<typeof tiers>;
  readonly machines: Machines;
  /** Where the role's image is pushed. */
  readonly registry: Registry;
  readonly pki: Pki;
  readonly passwords: Passwords;
  /** Gates of the tiers that come before. */
  readonly after: readonly pulumi.Resource[];
}

/** Name under which the password of a cache account is generated. */
export const redisPassword = (account: RedisAccount) => `redis-${account}`;

/** Seconds that Redis and Sentinel may take to end, after the hand-over. */
const shutdownSeconds = 10;

/** MiB beside the data: agent, Sentinel, replication buffers. */
const overheadMegabytes = 192;

/** Redis with Sentinels; an agent on each node keeps them in line and hands over before a stop. */
export class RedisCache extends pulumi.ComponentResource {
  static readonly type = "holdfast:index:RedisCache";

  readonly nodes: readonly Node[];
  readonly gates: readonly pulumi.Resource[];

  constructor(name: string, args: RedisCacheArgs, opts?: pulumi.ComponentResourceOptions) {
    super(RedisCache.type, name, {}, opts);
    const tier = args.plan.tiers.redisCache;
    if (tier.nodes.length === 0) {
      this.nodes = [];
      this.gates = args.after;
    } else {
      this.nodes = rollOut(this, {
        ...args,
        usesPasswords: true,
        tier,
        workload: this.workload(name, args),
        startTimeoutSeconds: args.plan.settings.redisCache.startTimeoutSeconds,
      });
      this.gates = gatesOf(this.nodes);
    }
    this.registerOutputs({});
  }

  private workload(
    name: string,
    { plan, registry, pki, passwords }: RedisCacheArgs,
  ): (node: PlannedNode) => Workload {
    const settings = plan.settings.redisCache;
    const image = new RoleImage(
      `${name}-image`,
      {
        role: "redis",
        context: "images/redis",
        programs: { "agent.js": "agents/redis/main.ts" },
        registry,
      },
      { parent: this },
    );
    const secrets = secretFiles(plan, passwords);
    return (node) => ({
      image: image.reference,
      files: {
        ...redisCacheFiles(plan, node),
        ...secrets,
        ...tlsFiles(pki, pki.node(node, { names: ["redis"], addresses: [] })),
      },
      volumes: { [`holdfast-${node.key}`]: "/var/lib/redis" },
      tmpfs: { "/run/redis": "uid=999,gid=999,mode=0750" },
      // A replica that is given all data anew is copied from a snapshot of the master's memory.
      memoryMegabytes: 2 * settings.maxMemoryMegabytes + overheadMegabytes,
      stopTimeoutSeconds: settings.drainSeconds + shutdownSeconds,
    });
  }
}

/** Files with secrets, path -> content. */
function secretFiles(
  plan: RedisCacheArgs["plan"],
  passwords: Passwords,
): Record<string, pulumi.Output<string>> {
  const rendered = pulumi
    .all(
      redisAccountsOf(plan).map((account) =>
        passwords.of(redisPassword(account)).accepted.apply((list) => [account, list] as const),
      ),
    )
    .apply((entries) => redisSecretFiles(Object.fromEntries(entries) as RedisPasswords));
  return Object.fromEntries(
    redisSecretFileNames.map((file) => [
      file,
      pulumi.secret(rendered.apply((files) => files[file])),
    ]),
  );
}
