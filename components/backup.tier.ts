import { Cron } from "croner";
import { z } from "zod";
import { placement, port, type Listener, type TierDeclaration } from "../model/tier";
import { backupAlerts } from "./backup.alerts";
import { backupDashboard } from "./backup.dashboard";
import { backupProblems } from "./backup.files";
import { backupMetrics } from "./backup.metrics";

const fields = "every minute, hour, day, month and weekday, in UTC, such as 0 2 * * * for 02:00";

const cronField = /^(\S+ ){4}\S+$/;

function isSchedule(pattern: string): boolean {
  try {
    new Cron(pattern, { paused: true });
    return true;
  } catch {
    return false;
  }
}

const settings = z.strictObject({
  ...placement({ min: 0, max: 1, default: 0 }),
  agentPort: port("Port of the agent: health and metrics.", 9202),
  schedule: z
    .string()
    .regex(cronField, { error: `five fields: ${fields}`, abort: true })
    .refine(isSchedule, { error: `a cron pattern: ${fields}` })
    .default("0 2 * * *")
    .describe(
      "When full backups are taken, as cron writes it, in UTC. The first is taken at the first start.",
    ),
  retentionDays: z
    .int()
    .min(1)
    .max(3650)
    .default(14)
    .describe("Days back to which the database can be restored."),
  store: z
    .string()
    .regex(/^(\/[^\s:]+|(s3|rest):https?:\/\/[^\s@]+)$/, {
      error:
        "a folder of the backup machine such as /srv/backups, an S3 bucket such as s3:https://s3.example.com/bucket, or a REST server of restic such as rest:https://backup.example.com; without user and password",
    })
    .optional()
    .describe(
      "Where backups are kept, off the stack's machines: a folder of the backup machine (mount it from elsewhere; it belongs to user 999), an S3 bucket, or a REST server of restic. The stack has a folder of its own there. Default: in the lab a folder of this computer; an inventory has none.",
    ),
  region: z.string().min(1).optional().describe("Region of the S3 store, where it wants one."),
  storeCertificate: z
    .string()
    .regex(/^-----BEGIN CERTIFICATE-----\s[\s\S]+-----END CERTIFICATE-----\s*$/, {
      error: "a certificate in PEM",
    })
    .optional()
    .describe(
      "Certificate of the authority that signed the store's, where it is not a public one.",
    ),
  secrets: z
    .strictObject({
      accessKeyId: z.string().min(1).optional().describe("Secret. Access key of the S3 store."),
      secretAccessKey: z.string().min(1).optional().describe("Secret. Its secret key."),
      username: z.string().min(1).optional().describe("Secret. User of the REST server."),
      password: z.string().min(1).optional().describe("Secret. Password of that user."),
    })
    .readonly()
    .default({})
    .describe("Secret. What opens the store."),
  memoryMegabytes: z.int().min(256).default(512).describe("Memory limit of the node in MiB."),
  startTimeoutSeconds: z
    .int()
    .min(15)
    .max(3600)
    .default(120)
    .describe("Seconds that a new node may take until it has opened the store."),
});

export type BackupSettings = z.output<typeof settings>;

function listeners(values: BackupSettings): readonly Listener[] {
  return [
    {
      name: "agent",
      protocol: "tcp",
      port: values.agentPort,
      eitherWay: true,
      from: ["admin"],
      purpose: "health and metrics",
      metricsPath: "/metrics",
    },
  ];
}

export const backup = {
  name: "backup",
  key: "backup",
  summary:
    "Takes full backups of the database by schedule and receives its binary logs all the time, so that the database can be put back to any point in time; what is stored is at most a minute behind. Everything is encrypted and kept off the stack's machines. When the node dies nothing stops; the next one goes on where it ended.",
  serviceClass: "non-critical",
  settings,
  labHost: 71,
  neverRotated:
    "the key of the backups: what it has locked no other opens, and it is kept elsewhere, too",
  withoutIt: "The stack serves on; until it is back nothing new is backed up.",
  listeners,
  metrics: backupMetrics,
  alerts: (values: BackupSettings) => backupAlerts(values),
  statusPort: ({ agentPort }) => agentPort,
  dashboard: backupDashboard,
  problems: backupProblems,
} as const satisfies TierDeclaration<typeof settings>;
