import type { Alert } from "./alerts";
import {
  burnRates,
  clockOf,
  durationText,
  errorBudget,
  exact,
  failedShare,
  objective,
  periodDays,
  periodSeconds,
  slotSeconds,
  sloNames,
  windows,
  type BurnRate,
  type Clock,
  type SloName,
  type SloSettings,
} from "./slo";

/** A recording rule of Prometheus. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Rules that Prometheus evaluates together. */
export interface RuleGroup<Rule = RecordingRule> {
  readonly name: string;
  readonly interval: string;
  readonly rules: readonly Rule[];
}

/** Where the objectives are measured: selectors of series, without a range. */
export interface SloSources {
  /** Success of the probes of the edge, one series a monitor and address. */
  readonly probes: string;
  /** Counters of requests, all of them and those that failed. */
  readonly requests: { readonly total: string; readonly failed: string };
  /** Counters of a histogram: requests that were answered, the fast ones among them, all by time. */
  readonly timed: { readonly total: string; readonly fast: string; readonly buckets: string };
}

/** What the sources of a stack depend on. */
export interface SloSourcesView {
  /** HAProxy's frontends for the world; none where the stack has no load balancer. */
  readonly edgeEndpoints: readonly string[];
  /** Routes of the application that machines poll: they tell nothing about users. */
  readonly polledRoutes: readonly string[];
  readonly latencyMilliseconds: number;
}

/** A literal inside a regular expression inside a PromQL string. */
function literal(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&").replace(/["\\]/g, "\\$&");
}

/** A matcher for any of the texts. */
export function anyOf(label: string, texts: readonly string[], not = false): string {
  return `${label}${not ? "!~" : "=~"}"${texts.map(literal).join("|")}"`;
}

/** Requests are counted at the edge, where failed ones are seen too; their times by the application. */
export function sloSources(view: SloSourcesView): SloSources {
  const users = view.polledRoutes.length > 0 ? `${anyOf("route", view.polledRoutes, true)},` : "";
  // A server error is fast more often than not; it is counted by the availability.
  const answered = `${users}status!~"5.."`;
  // Exporters write a whole number of seconds as "1" or as "1.0".
  const seconds = literal(String(exact(view.latencyMilliseconds / 1000)));
  const bucket = `le=~"${seconds}(\\\\.0)?"`;
  const edge = anyOf("proxy", view.edgeEndpoints);
  return {
    probes: 'probe_success{job="probe-edge"}',
    requests:
      view.edgeEndpoints.length > 0
        ? {
            total: `haproxy_frontend_http_responses_total{${edge}}`,
            failed: `haproxy_frontend_http_responses_total{${edge},code="5xx"}`,
          }
        : {
            total: `http_request_duration_seconds_count{${users.slice(0, -1)}}`,
            failed: `http_request_duration_seconds_count{${users}status=~"5.."}`,
          },
    timed: {
      total: `http_request_duration_seconds_count{${answered}}`,
      fast: `http_request_duration_seconds_bucket{${answered},${bucket}}`,
      buckets: `http_request_duration_seconds_bucket{${answered}}`,
    },
  };
}

/** Between the last two samples: what happened in this slot, also where one scrape was missed. */
const inSlot = (selector: string) => `sum(irate(${selector}[${durationText(3 * slotSeconds)}]))`;

/** Seconds after which a change that did not end has been given up. */
const changeSeconds = 1800;

/** The same under a clock: an update takes its time, however short days are. */
export const changeLimit = (clock: Clock): number => clock.windowSeconds(changeSeconds, 90);

const started = "max(holdfast_deploy_started_timestamp_seconds)";
const finished = "(max(holdfast_deploy_finished_timestamp_seconds) or vector(0))";
const stopped = "(max(holdfast_deploy_stopped_timestamp_seconds) or vector(0))";

/** A change has begun and not ended. */
export const changeOpen = `${started} > ${finished}`;
/** Seconds since the last change began. */
export const changeAge = `(time() - ${started})`;
/** The last change said itself that it stopped half-way. */
export const changeStopped = `${stopped} >= ${started}`;

function slotRules(sources: SloSources, clock: Clock): RecordingRule[] {
  return [
    { record: "slo:requests:rate", expr: inSlot(sources.requests.total) },
    { record: "slo:requests_failed:rate", expr: inSlot(sources.requests.failed) },
    {
      record: "slo:down:bool",
      // No requests divide to NaN, which is not above; no probe at all leaves a gap, not a 0.
      expr: `clamp_max((1 - min(${sources.probes})) + (slo:requests_failed:rate / slo:requests:rate > bool ${failedShare} or vector(0)), 1)`,
    },
    {
      record: "slo:planned:bool",
      expr: `(${started} > bool ${finished}) * (${changeAge} <= bool ${changeLimit(clock)}) * (${stopped} < bool ${started}) or vector(0)`,
    },
    { record: "slo:requests_timed:rate", expr: inSlot(sources.timed.total) },
    {
      record: "slo:requests_slow:rate",
      expr: `clamp_min(slo:requests_timed:rate - ${inSlot(sources.timed.fast)}, 0)`,
    },
  ];
}

/** Share of slots or requests that were bad within a range. */
function badShare(name: SloName, range: string): string {
  return name === "availability"
    ? `avg_over_time(slo:down:bool[${range}])`
    : `sum_over_time(slo:requests_slow:rate[${range}]) / (sum_over_time(slo:requests_timed:rate[${range}]) > 0)`;
}

/** Record of the share that was bad within a window. */
export const errorRatio = (window: string): string => `slo:sli_error:ratio_rate${window}`;

function windowRules(clock: Clock): RecordingRule[] {
  return sloNames.flatMap((slo) =>
    Object.entries(windows).map(([name, seconds]) => ({
      record: errorRatio(name),
      expr: badShare(slo, clock.window(seconds)),
      labels: { slo },
    })),
  );
}

function periodRules(slo: SloSettings, clock: Clock): RecordingRule[] {
  const range = clock.window(periodSeconds);
  const budget = (name: SloName) => errorBudget(slo, name);
  // Counted in seconds of the whole period: a stack that is a day old has not a day's budget.
  const allowed = exact(budget("availability") * clock.windowSeconds(periodSeconds));
  const spent = `sum_over_time(slo:down:bool[${range}]) * ${slotSeconds}`;
  return [
    ...sloNames.flatMap((name): RecordingRule[] => [
      {
        record: "slo:objective:ratio",
        expr: `vector(${objective(slo, name)})`,
        labels: { slo: name },
      },
      { record: "slo:error_budget:ratio", expr: `vector(${budget(name)})`, labels: { slo: name } },
      {
        record: errorRatio(`${periodDays}d`),
        expr: badShare(name, range),
        labels: { slo: name },
      },
    ]),
    {
      record: "slo:error_budget_remaining:ratio",
      expr: `1 - ${spent} / ${allowed}`,
      labels: { slo: "availability" },
    },
    {
      record: "slo:error_budget_remaining:ratio",
      expr: `1 - ${errorRatio(`${periodDays}d`)}{slo="latency"} / ${budget("latency")}`,
      labels: { slo: "latency" },
    },
  ];
}

/** Recording rules of the objectives: each slot, the windows of the burn rates, the whole period. */
export function sloRuleGroups(slo: SloSettings, sources: SloSources): readonly RuleGroup[] {
  const clock = clockOf(slo);
  return [
    {
      name: "slo-slots",
      interval: durationText(slotSeconds),
      rules: slotRules(sources, clock),
    },
    { name: "slo-windows", interval: durationText(15), rules: windowRules(clock) },
    { name: "slo-period", interval: clock.window(60), rules: periodRules(slo, clock) },
  ];
}

/** Requests a second below which the share of slow ones says nothing. */
const leastRequestRate = 0.1;

function burnExpression(slo: SloSettings, name: SloName, rate: BurnRate, clock: Clock): string {
  const threshold = exact(rate.factor * errorBudget(slo, name));
  const burning = (window: string) => `${errorRatio(window)}{slo="${name}"} > ${threshold}`;
  const traffic =
    name === "latency"
      ? ` and on () avg_over_time(slo:requests_timed:rate[${clock.window(windows[rate.long])}]) > ${leastRequestRate}`
      : "";
  // An outage that has been paged stays in the short window for a while after it is over.
  const scopes = rate.severity === "page" ? "users|tier" : "users|tier|budget";
  const page = `ALERTS{alertstate="firing",severity="page",service_class="critical",scope=~"${scopes}"}`;
  const memory = durationText(clock.windowSeconds(windows[rate.short]) + 30);
  return `(${burning(rate.long)} and ${burning(rate.short)}${traffic} unless on () max_over_time(${page}[${memory}]))`;
}

const burnTexts = {
  availability: { title: "Availability", bad: "down time" },
  latency: { title: "Latency", bad: "slow requests" },
} as const;

/** Alerts on the speed at which the error budgets are spent: fast pages, slow is for office hours. */
export function burnRateAlerts(slo: SloSettings): readonly Alert[] {
  return sloNames.flatMap((name) =>
    (["page", "ticket"] as const).map((severity): Alert => {
      const { title, bad } = burnTexts[name];
      const speed = severity === "page" ? "fast" : "slowly, but too fast";
      const rates = burnRates.filter((rate) => rate.severity === severity);
      return {
        name: `${title}BudgetBurn${severity === "page" ? "Fast" : "Slow"}`,
        scope: "budget",
        severity,
        serviceClass: "critical",
        // Long enough for the alert on an outage to come first, also where days are minutes.
        holdSeconds: 30,
        labels: { slo: name },
        summary: `${title}: ${bad} spends the error budget of ${periodDays} days ${speed}, and no outage that was paged explains it`,
        expr: (clock) => rates.map((rate) => burnExpression(slo, name, rate, clock)).join("\nor\n"),
      };
    }),
  );
}
