import * as addresses from "../model/addresses";
import type { Problem } from "../model/settings";
import type { PlannedNode, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import type { BackupAgentView, BackupSecrets } from "../model/views";
import type { backup, BackupSettings } from "./backup.tier";
import { mysqlEndpoints, type mysqlCluster } from "./mysqlCluster.tier";

/** The plan of a stack with a database and its backup. */
export type BackupPlan = StackPlan<
  Tiers & {
    readonly backup: typeof backup;
    readonly mysqlCluster: typeof mysqlCluster;
  }
>;

/** Last octet of the lab's own store. */
const labStoreHost = 7;

/** Port of the lab's own store. */
export const labStorePort = 8000;

/** Address of the lab's own store. */
export const labStoreAddress = (plan: Pick<StackPlan, "network">): string =>
  addresses.host(plan.network, labStoreHost);

/** Where the agent finds the authority of the store's certificate. */
export const storeAuthorityPath = "/etc/holdfast/store-ca.pem";

/** True where the backups are kept in the lab's own store. */
export function usesLabStore(plan: BackupPlan): boolean {
  return plan.tiers.backup.nodes.length > 0 && plan.settings.backup.store === undefined;
}

/** Contradictions between the settings of the backup and others. */
export function backupProblems(plan: BackupPlan): Problem[] {
  if (plan.tiers.backup.nodes.length === 0) return [];
  const { store, secrets } = plan.settings.backup;
  const problem = (key: string, found: string, allowed: string): Problem[] => [
    { key: `holdfast:backup.${key}`, found, allowed },
  ];
  const s3 = store?.startsWith("s3:") === true;
  return [
    ...(plan.tiers.mysqlCluster.nodes.length === 0
      ? problem("count", "1", "0, because holdfast:mysqlCluster.count is 0")
      : []),
    ...(store === undefined && plan.settings.machines.source !== "lab"
      ? problem("store", "nothing", "a place off the stack's machines, because there is no lab")
      : []),
    ...(s3 && !(secrets.accessKeyId && secrets.secretAccessKey)
      ? problem(
          "secrets",
          "no accessKeyId and secretAccessKey",
          "both, set with pulumi config set --secret --path, because holdfast:backup.store is an S3 bucket",
        )
      : []),
  ];
}

function endpoint(plan: StackPlan<Tiers>, name: string): { host: string; port: number } {
  const found = plan.endpoints.find((offered) => offered.name === name);
  if (!found) throw new Error(`endpoint ${name}: the stack does not offer it`);
  return { host: found.address, port: found.port };
}

/** Number that no database server has, as they take the last half of their address for theirs. */
function readerId(address: string): number {
  const [, , third = 0, fourth = 0] = address.split(".").map(Number);
  return 65536 + third * 256 + fourth;
}

/** `/etc/holdfast/agent.json` of the backup node. `repository` is restic's name of the stack's place. */
export function backupAgentFile(plan: BackupPlan, node: PlannedNode, repository: string): string {
  const settings = plan.settings.backup;
  const view: BackupAgentView = {
    node: node.key,
    address: node.machine.address,
    agentPort: settings.agentPort,
    tls: plan.settings.pki.metricsTls,
    database: plan.settings.mysqlCluster.database,
    primary: endpoint(plan, mysqlEndpoints.primary),
    replicas: endpoint(plan, mysqlEndpoints.replicas),
    serverId: readerId(node.machine.address),
    store: repository,
    storeAuthority: storeAuthorityOf(plan) ? storeAuthorityPath : null,
    schedule: settings.schedule,
    retentionDays: settings.retentionDays,
  };
  return `${JSON.stringify(view, null, 2)}\n`;
}

/** Whose certificate the store shows: the stack's own authority, the settings', or a public one. */
export function storeAuthorityOf(plan: BackupPlan): "stack" | "settings" | undefined {
  if (usesLabStore(plan)) return "stack";
  return plan.settings.backup.storeCertificate === undefined ? undefined : "settings";
}

/** Environment of restic that opens the store of the settings. */
export function storeEnvironment({ region, secrets }: BackupSettings): Record<string, string> {
  const { accessKeyId, secretAccessKey, username, password } = secrets;
  return {
    ...(accessKeyId !== undefined && { AWS_ACCESS_KEY_ID: accessKeyId }),
    ...(secretAccessKey !== undefined && { AWS_SECRET_ACCESS_KEY: secretAccessKey }),
    ...(region !== undefined && { AWS_DEFAULT_REGION: region }),
    ...(username !== undefined && { RESTIC_REST_USERNAME: username }),
    ...(password !== undefined && { RESTIC_REST_PASSWORD: password }),
  };
}

/** The stack's own place in a store; `name` tells the stack, and its life, from others. */
export function placeIn(store: string, name: string): string {
  return `${store.replace(/\/+$/, "")}/${name}`;
}

/** `/etc/holdfast/secrets.json` of the backup node. */
export function backupSecretsFile(secrets: BackupSecrets): string {
  return `${JSON.stringify(secrets, null, 2)}\n`;
}
