import { stringify } from "yaml";
import { z } from "zod";
import type { Scope } from "./alerts";
import { clockOf, type Clock } from "./slo";

const receiverSchema = z
  .strictObject({
    email: z.email().optional().describe("Address that gets mail."),
    webhook: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Secret. Address that gets Alertmanager's JSON by POST."),
    severities: z
      .array(z.enum(["page", "ticket"]))
      .min(1)
      .readonly()
      .default(["page", "ticket"])
      .describe("What it gets: what wakes somebody, what waits for the morning, or both."),
  })
  .refine(({ email, webhook }) => (email === undefined) !== (webhook === undefined), {
    path: ["email"],
    error: "either email or webhook",
  });

/** Settings under `holdfast:alerting`. */
export const alertingSchema = z
  .strictObject({
    receivers: z
      .record(
        z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, {
          error: "the name of a receiver has lower-case letters, digits and hyphens",
        }),
        receiverSchema,
      )
      .readonly()
      .default({})
      .describe("Who is told, by a name of your choice. Without any, alerts are only shown."),
    smtp: z
      .strictObject({
        server: z
          .string()
          .regex(/^[^\s:]+:\d{1,5}$/, { error: "a mail server is host:port" })
          .optional()
          .describe("Mail server that takes the mail, as `host:port`."),
        from: z.email().default("holdfast@localhost.localdomain").describe("Sender of the mail."),
        user: z.string().default("").describe("User at the mail server; empty: none."),
        password: z.string().default("").describe("Secret. Password of that user."),
        requireTls: z
          .boolean()
          .default(true)
          .describe("True: mail goes encrypted (STARTTLS) or not at all."),
      })
      .readonly()
      .prefault({})
      .describe("How mail leaves; needed where a receiver has an email."),
    deadMansSwitch: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe(
        "Secret. Address that is called every minute while alerting works; whoever is there calls you when it stops.",
      ),
    runbooks: z
      .string()
      .min(1)
      .default("docs/runbooks")
      .describe("Folder or address of the runbooks, as alerts link to them."),
  })
  .refine(
    ({ receivers, smtp }) =>
      smtp.server !== undefined || Object.values(receivers).every(({ email }) => !email),
    { path: ["smtp", "server"], error: "a mail server, since a receiver has an email" },
  )
  .readonly();

export type AlertingSettings = z.output<typeof alertingSchema>;
type Receiver = z.output<typeof receiverSchema>;

/** One alert silences another while both are firing. */
export interface InhibitRule {
  readonly source_matchers: readonly string[];
  readonly target_matchers: readonly string[];
  /** Labels that must have the same value in both. */
  readonly equal: readonly string[];
}

const scope = (...scopes: Scope[]) => `scope=~"${scopes.join("|")}"`;

/** So that one fault is one page. What is silenced is still seen in Alertmanager and on dashboards. */
export const inhibitRules: readonly InhibitRule[] = [
  {
    // The cause says more than what users see of it.
    source_matchers: [scope("tier"), 'service_class="critical"'],
    target_matchers: [scope("users")],
    equal: ["stack"],
  },
  {
    source_matchers: ['alertname="VipProbeFailing"'],
    target_matchers: ['alertname="RequestsFailing"'],
    equal: ["stack"],
  },
  {
    // Where a whole tier is out, its nodes are no news.
    source_matchers: [scope("users", "tier")],
    target_matchers: [scope("node", "target")],
    equal: ["stack", "tier"],
  },
  {
    source_matchers: [scope("node")],
    target_matchers: [scope("target")],
    equal: ["stack", "machine"],
  },
  {
    // Alertmanager is a target like any other, and has a page of its own.
    source_matchers: [scope("target"), 'severity="page"'],
    target_matchers: [scope("target"), 'severity="ticket"'],
    equal: ["stack", "node"],
  },
  {
    source_matchers: [scope("budget"), 'severity="page"'],
    target_matchers: [scope("budget"), 'severity="ticket"'],
    equal: ["stack", "slo"],
  },
  {
    // Nodes leave and come back, and whoever updates is watching. The objectives are never silenced.
    source_matchers: ['alertname="DeployRunning"'],
    target_matchers: [scope("node", "target")],
    equal: ["stack"],
  },
];

/** Files below this folder hold what must not stand in the configuration. */
const secretsFolder = "/run/secrets";

/** Configuration of Alertmanager. */
export interface AlertmanagerFiles {
  /** `alertmanager.yml`; without secrets. */
  readonly config: string;
  /** Secret files by their names below `/run/secrets`. */
  readonly secrets: Readonly<Record<string, string>>;
}

const subject =
  "[{{ .Status }}{{ if .CommonLabels.severity }}, {{ .CommonLabels.severity }}{{ end }}] {{ .CommonLabels.stack }}: {{ .GroupLabels.alertname }}";
const text = [
  "{{ range .Alerts }}{{ .Status }}: {{ .Annotations.summary }}",
  "  since {{ .StartsAt }}",
  "  {{ .Annotations.runbook_url }}",
  "{{ end }}",
].join("\n");

const webhookFile = (name: string) => `alertmanager-webhook-${name}`;
const smtpFile = "alertmanager-smtp-password";
const deadMansSwitchFile = "alertmanager-dead-mans-switch";

function notified(name: string, receivers: readonly [string, Receiver][]) {
  const emails = receivers.flatMap(([, { email }]) => email ?? []);
  const webhooks = receivers.filter(([, { webhook }]) => webhook !== undefined);
  return {
    name,
    ...(emails.length > 0 && {
      email_configs: emails.map((to) => ({
        to,
        send_resolved: true,
        headers: { Subject: subject },
        html: "",
        text,
      })),
    }),
    ...(webhooks.length > 0 && {
      webhook_configs: webhooks.map(([key]) => ({
        url_file: `${secretsFolder}/${webhookFile(key)}`,
        send_resolved: true,
      })),
    }),
  };
}

const deadMansSwitch = "dead-mans-switch";
const nobody = "nobody";

/**
 * The tree of routes; the first that fits takes the alert. Where the clock is faster the end of an
 * alert is told sooner, and the dead man's switch sounds more often; the first message waits the same.
 */
export function routesOf(clock: Clock) {
  return {
    receiver: "ticket",
    // What fires on one machine at once is one message.
    group_by: ["stack", "alertname", "tier", "machine"],
    group_wait: "10s",
    group_interval: clock.window(60, 15),
    repeat_interval: "1d",
    routes: [
      {
        receiver: deadMansSwitch,
        matchers: ['alertname="Watchdog"'],
        group_wait: "0s",
        group_interval: clock.window(30, 10),
        repeat_interval: clock.window(60, 20),
      },
      { receiver: nobody, matchers: ['severity="none"'] },
      {
        // Long enough for the cause, where there is one, to be known and to speak instead.
        receiver: "page",
        matchers: [scope("users")],
        group_by: ["stack", "alertname"],
        group_wait: "20s",
        repeat_interval: "1h",
      },
      {
        receiver: "page",
        matchers: [scope("risk"), 'severity="page"'],
        // Disks, clocks and the like tend to go wrong everywhere at once.
        group_by: ["stack", "alertname"],
        repeat_interval: "4h",
      },
      { receiver: "ticket", matchers: [scope("risk")], group_by: ["stack", "alertname"] },
      {
        // Whatever ran on a dead machine, of whichever tier.
        receiver: "ticket",
        matchers: [scope("target"), 'severity="ticket"'],
        group_by: ["stack", "alertname", "machine"],
      },
      { receiver: "page", matchers: ['severity="page"'], repeat_interval: "4h" },
    ],
  } as const;
}

/** Alertmanager's configuration with the secret files that it names. */
export function alertmanagerFiles(
  settings: AlertingSettings,
  clock: Clock = clockOf({ timeScale: 1 }),
): AlertmanagerFiles {
  const { receivers, smtp } = settings;
  const all = Object.entries(receivers);
  const getting = (severity: "page" | "ticket") =>
    notified(
      severity,
      all.filter(([, { severities }]) => severities.includes(severity)),
    );
  const config = {
    global: {
      ...(smtp.server !== undefined && {
        smtp_smarthost: smtp.server,
        smtp_from: smtp.from,
        smtp_require_tls: smtp.requireTls,
        ...(smtp.user && {
          smtp_auth_username: smtp.user,
          smtp_auth_password_file: `${secretsFolder}/${smtpFile}`,
        }),
      }),
    },
    route: routesOf(clock),
    inhibit_rules: inhibitRules,
    receivers: [
      { name: nobody },
      {
        name: deadMansSwitch,
        ...(settings.deadMansSwitch !== undefined && {
          webhook_configs: [
            { url_file: `${secretsFolder}/${deadMansSwitchFile}`, send_resolved: false },
          ],
        }),
      },
      getting("page"),
      getting("ticket"),
    ],
  };
  return {
    config: stringify(config, { lineWidth: 0, aliasDuplicateObjects: false }),
    secrets: {
      ...(smtp.user && { [smtpFile]: smtp.password }),
      ...(settings.deadMansSwitch && { [deadMansSwitchFile]: settings.deadMansSwitch }),
      ...Object.fromEntries(
        all.flatMap(([key, { webhook }]) => (webhook ? [[webhookFile(key), webhook]] : [])),
      ),
    },
  };
}
