import type { NamedValue, Panel, Section } from "./dashboards";
import { anyOf } from "./sloRules";
import type { Backend, PlannedTier, StackPlan } from "./stack";
import type { Tiers } from "./tier";
import { plainBackend } from "./tls";

/** Range of a rate: as long as a point of the panel, and never shorter than four scrapes. */
export const rateRange = "$__rate_interval";

/** How much a counter grows in a second, summed up by these labels. */
export const perSecond = (counter: string, by: string): string =>
  `sum by (${by}) (rate(${counter}[${rateRange}]))`;

/** What 1 and 0 are where 1 is good. */
export const yesOrNo = (yes: string, no: string): readonly NamedValue[] => [
  { value: 1, text: yes, color: "green" },
  { value: 0, text: no, color: "red" },
];

/** What 1 and 0 are where one node has a role and the others stand by. */
export const roleOrNot = (role: string, other: string): readonly NamedValue[] => [
  { value: 1, text: role, color: "green" },
  { value: 0, text: other, color: "gray" },
];

/** HAProxy's backends of an endpoint: two where its servers are reached with TLS and without. */
const proxiesOf = ({ endpoint, tls }: Backend): readonly string[] =>
  tls === "prefer" ? [endpoint, plainBackend(endpoint)] : [endpoint];

/** How the load balancers see what a tier offers; nothing where they are none or it offers nothing. */
export function balancedPanels(plan: StackPlan<Tiers>, { name }: PlannedTier): readonly Section[] {
  const offered = plan.vips ? plan.backends.filter(({ tier }) => tier === name) : [];
  if (offered.length === 0) return [];
  const proxies = anyOf("proxy", offered.flatMap(proxiesOf));
  const http = offered.filter(({ mode }) => mode === "http").flatMap(proxiesOf);
  const requests: readonly Panel[] = [
    {
      title: "Answers by class",
      tells: "Answers of the tier a second. 5xx are failures, 4xx mistakes of clients.",
      unit: "reqps",
      min: 0,
      queries: [
        {
          expr: perSecond(
            `haproxy_backend_http_responses_total{${anyOf("proxy", http)}}`,
            "proxy, code",
          ),
          legend: "{{proxy}} {{code}}",
        },
      ],
    },
    {
      title: "Mean time of an answer",
      tells: "Of the last 1024 answers, as the slower of the load balancers sees it.",
      unit: "s",
      min: 0,
      queries: [
        {
          expr: `max by (proxy) (haproxy_backend_response_time_average_seconds{${anyOf("proxy", http)}})`,
          legend: "{{proxy}}",
        },
      ],
    },
  ];
  return [
    {
      title: "Seen from the load balancers",
      panels: [
        {
          title: "Servers in service",
          tells: "In service where every load balancer sends it requests.",
          kind: "states",
          unit: "short",
          names: yesOrNo("in service", "out of service"),
          queries: [
            {
              expr: `min by (proxy, server) (haproxy_server_status{${proxies},state="UP"})`,
              legend: "{{server}} in {{proxy}}",
            },
          ],
        },
        ...(http.length > 0 ? requests : []),
        {
          title: "Waiting for a free server",
          tells: "Above 0 the servers are too few or too slow.",
          unit: "short",
          min: 0,
          queries: [
            {
              expr: `sum by (proxy) (haproxy_backend_current_queue{${proxies}})`,
              legend: "{{proxy}}",
            },
          ],
        },
        {
          title: "Open sessions",
          tells: "Connections and requests that the tier works on.",
          unit: "short",
          min: 0,
          queries: [
            {
              expr: `sum by (proxy) (haproxy_backend_current_sessions{${proxies}})`,
              legend: "{{proxy}}",
            },
          ],
        },
        {
          title: "Repeated and sent elsewhere",
          tells:
            "Requests that a server left unanswered and another got. Clients notice nothing but the time.",
          unit: "ops",
          min: 0,
          queries: [
            {
              expr: perSecond(`haproxy_backend_retry_warnings_total{${proxies}}`, "proxy"),
              legend: "{{proxy}} repeated",
            },
            {
              expr: perSecond(`haproxy_backend_redispatch_warnings_total{${proxies}}`, "proxy"),
              legend: "{{proxy}} elsewhere",
            },
          ],
        },
      ],
    },
  ];
}

/** Whether the nodes of a tier answer, and those beside them. */
export function nodePanels(tiers: readonly PlannedTier[]): readonly Panel[] {
  const telling = tiers.filter(({ listeners }) =>
    listeners.some(({ metricsPath }) => metricsPath !== undefined),
  );
  if (telling.length === 0) return [];
  const names = telling.map(({ name }) => name);
  return [
    {
      title: "Answers monitoring",
      tells: "Whether each part of a node answered when it was last asked for its metrics.",
      kind: "states",
      unit: "short",
      names: yesOrNo("answers", "silent"),
      queries: [
        {
          expr: `max by (node, job) (up{${anyOf("tier", names)},job!~"probe-.*"})`,
          legend: "{{node}} {{job}}",
        },
      ],
    },
  ];
}

const machinesOf = ({ nodes }: PlannedTier) =>
  anyOf("machine", [...new Set(nodes.map(({ machine }) => machine.key))]);

/** Share of a machine's processor time that is in use; `by` machine or tier. */
export const busyProcessor = (matcher: string) =>
  `1 - avg by (machine) (rate(node_cpu_seconds_total{${matcher},mode="idle"}[${rateRange}]))`;

export const usedMemory = (matcher: string) =>
  `1 - max by (machine) (node_memory_MemAvailable_bytes{${matcher}}) / max by (machine) (node_memory_MemTotal_bytes{${matcher}})`;

/** The machines on which the tier's nodes run. */
export function machinePanels(tier: PlannedTier): readonly Panel[] {
  const matcher = machinesOf(tier);
  const share = { unit: "percentunit", min: 0, max: 1 } as const;
  return [
    {
      ...share,
      title: "Processor",
      tells: "Share of the processor time of each machine that is in use.",
      queries: [{ expr: busyProcessor(matcher), legend: "{{machine}}" }],
    },
    {
      ...share,
      title: "Memory",
      tells: "Share of the memory of each machine that is in use and cannot be freed.",
      alarm: { above: 0.95 },
      queries: [{ expr: usedMemory(matcher), legend: "{{machine}}" }],
    },
  ];
}

/** The busiest machine of each tier that has a dashboard of its own, and so machines of its own. */
export function tierSaturation(tiers: readonly PlannedTier[]): readonly Panel[] {
  const share = { unit: "percentunit", min: 0, max: 1 } as const;
  const queries = (used: (matcher: string) => string) =>
    tiers.flatMap((tier) => {
      const { declaration } = tier;
      const { dashboard } = declaration;
      if (!dashboard || declaration.everyMachine || declaration.beside) return [];
      return [{ expr: `max(${used(machinesOf(tier))})`, legend: dashboard.title }];
    });
  return [
    {
      ...share,
      title: "Processor by tier",
      tells: "Of each tier the machine that has least processor time left.",
      alarm: { above: 0.9 },
      queries: queries(busyProcessor),
    },
    {
      ...share,
      title: "Memory by tier",
      tells: "Of each tier the machine that has least memory left.",
      alarm: { above: 0.95 },
      queries: queries(usedMemory),
    },
  ];
}
