import { tlsSecrets } from "./appPool.tier";
import { mysqlEndpoints } from "./mysqlCluster.tier";
import type { StackPlan } from "../model/stack";
import { servedStage } from "../model/tls";
import type { tiers } from "../tiers";

/** Where the application finds its secrets. */
export const secretsFolder = "/run/secrets";

/** Accounts with which an application's processes use the database. */
export type DatabaseUser = "app" | "migration";

/** Environment that tells an application how it is to listen. */
export function listenEnvironment(plan: StackPlan<typeof tiers>): Record<string, string> {
  const { port, tlsPort } = plan.settings.appPool;
  const stage = servedStage(plan.tiers.appPool);
  return {
    PORT: String(port),
    ...(stage !== "off" && {
      TLS_PORT: String(tlsPort),
      TLS_CERTIFICATE: `${secretsFolder}/${tlsSecrets.certificate}`,
      TLS_KEY: `${secretsFolder}/${tlsSecrets.privateKey}`,
    }),
    // What it serves without TLS is then for its machine alone.
    ...(stage === "require" && { HOST: "127.0.0.1" }),
  };
}

/**
 * Environment that tells an application where the data tiers are, by name. Only what the stack has
 * is told; secrets are files below `secretsFolder`.
 */
export function dataEnvironment(
  plan: StackPlan<typeof tiers>,
  user: DatabaseUser,
): Record<string, string> {
  const endpoint = (name: string) => {
    const found = plan.endpoints.find((candidate) => candidate.name === name);
    return found && `${found.address}:${found.port}`;
  };
  const primary = endpoint(mysqlEndpoints.primary);
  const replicas = endpoint(mysqlEndpoints.replicas);
  const { sentinelPort, masterName } = plan.settings.redisCache;
  const sentinels = plan.tiers.redisCache.nodes.map(
    ({ machine }) => `${machine.address}:${sentinelPort}`,
  );
  return {
    ...(primary &&
      replicas && {
        MYSQL_PRIMARY: primary,
        MYSQL_REPLICAS: replicas,
        MYSQL_DATABASE: plan.settings.mysqlCluster.database,
        MYSQL_USER: user,
      }),
    ...(sentinels.length > 0 && {
      REDIS_SENTINELS: sentinels.join(","),
      REDIS_MASTER: masterName,
      REDIS_USER: "app",
    }),
  };
}
