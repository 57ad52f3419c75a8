import { createHash } from "node:crypto";
import type { MemberAccounts } from "../agents/redis/passwords";
import { renderTemplate } from "../model/rendering";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { RedisAgentView, RedisView, SentinelView } from "../model/views";
import type { tiers } from "../tiers";

/** Accounts of the cache, each the least that its use needs; see the templates `*users.acl.hbs`. */
export const redisAccounts = ["app", "replica", "sentinel", "agent", "exporter"] as const;

export type RedisAccount = (typeof redisAccounts)[number];

/** The accounts that the stack has a use for. */
export function redisAccountsOf({ tiers: planned }: StackPlan<typeof tiers>): RedisAccount[] {
  const watched = planned.redisExporter.nodes.length > 0;
  return redisAccounts.filter((account) => account !== "exporter" || watched);
}

/** Passwords that each account accepts, the current one first; none where there is no such account. */
export type RedisPasswords = Readonly<
  Record<Exclude<RedisAccount, "exporter">, readonly string[]> &
    Partial<Record<"exporter", readonly string[]>>
>;

/** Rendered files of a Redis node without secrets, path -> content. */
export function redisCacheFiles(
  plan: StackPlan<typeof tiers>,
  node: PlannedNode,
): Readonly<Record<string, string>> {
  const settings = plan.settings.redisCache;
  const { masterName, port, sentinelPort, agentPort, drainSeconds } = settings;
  const { address } = node.machine;
  const members = plan.tiers.redisCache.nodes.map(({ key, machine }) => ({
    node: key,
    address: machine.address,
  }));
  const quorum = Math.floor(members.length / 2) + 1;
  const redis: RedisView = {
    node: node.key,
    address,
    port,
    maxMemoryMegabytes: settings.maxMemoryMegabytes,
  };
  const sentinel: SentinelView = {
    node: node.key,
    address,
    port: sentinelPort,
    masterName,
    firstMaster: { address: members[0]?.address ?? address, port },
    quorum,
  };
  const agent: RedisAgentView = {
    node: node.key,
    address,
    port,
    sentinelPort,
    agentPort,
    tls: plan.settings.pki.metricsTls,
    masterName,
    quorum,
    members,
    drainSeconds,
  };
  return {
    "/etc/holdfast/redis.conf": renderTemplate("redis/redis.conf.hbs", redis),
    "/etc/holdfast/sentinel.conf": renderTemplate("redis/sentinel.conf.hbs", sentinel),
    "/etc/holdfast/agent.json": `${JSON.stringify(agent, null, 2)}\n`,
  };
}

/** Paths of the files with secrets. */
export const redisSecretFileNames = [
  "/etc/holdfast/users.acl",
  "/etc/holdfast/sentinel-users.acl",
  "/etc/holdfast/accounts.json",
] as const;

const sha256 = (password: string) => createHash("sha256").update(password).digest("hex");

/**
 * Files with secrets, the same for every node, path -> content. What accepts a password has its
 * hash alone; what presents one, between members, has it in the last file.
 */
export function redisSecretFiles(
  passwords: RedisPasswords,
): Readonly<Record<(typeof redisSecretFileNames)[number], string>> {
  const hashes = Object.fromEntries(
    redisAccounts.map((account) => [account, (passwords[account] ?? []).map(sha256)]),
  );
  const members: MemberAccounts = {
    replica: { passwords: passwords.replica },
    sentinel: { passwords: passwords.sentinel },
    agent: { passwords: passwords.agent },
  };
  return {
    "/etc/holdfast/users.acl": renderTemplate("redis/users.acl.hbs", hashes),
    "/etc/holdfast/sentinel-users.acl": renderTemplate("redis/sentinel-users.acl.hbs", hashes),
    "/etc/holdfast/accounts.json": `${JSON.stringify(members, null, 2)}\n`,
  };
}
