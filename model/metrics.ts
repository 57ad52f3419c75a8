import type { AlertingRule } from "./alerts";
import type { RecordingRule } from "./sloRules";

/** A metric that somebody looks at or that decides something. */
export interface FollowedMetric {
  /** Scrape job that brings it, `<tier key>-<listener>`. */
  readonly job: string;
  /** Name of the series; of a histogram without `_bucket`, `_count` and `_sum`. */
  readonly name: string;
  /** What it counts or measures. */
  readonly what: string;
  /** The question that it answers. */
  readonly why: string;
}

const identifier = /[a-zA-Z_:][\w:]*/g;
const quotedText = /"(?:[^"\\]|\\.)*"/g;
const histogramPart = /_(bucket|count|sum)$/;

/** Labels that a series is known to have. */
type Labels = Readonly<Record<string, string>>;

/** Whether a selector's matchers, `{slo="latency"}`, leave out a series with these labels. */
function excludes(matchers: string, labels: Labels): boolean {
  return [...matchers.matchAll(/(\w+)="([^"]*)"/g)].some(([, label = "", value]) => {
    const known = labels[label];
    return known !== undefined && known !== value;
  });
}

/**
 * Whether an expression reads the metric, or a part of the histogram with that name. `labels`: those
 * that all its series have.
 */
export function readsMetric(expr: string, name: string, labels: Labels = {}): boolean {
  const selector = new RegExp(
    `(?<![\\w:"])${name}(?:_bucket|_count|_sum)?(?![\\w:"])(\\{[^}]*\\})?`,
    "g",
  );
  return [...expr.matchAll(selector)].some(([, matchers = ""]) => !excludes(matchers, labels));
}

/**
 * Names of the alerts that depend on the metric, by their own expression or through what recording
 * rules make of it. Sorted.
 */
export function alertsOn(
  name: string,
  recorded: readonly RecordingRule[],
  alerts: readonly AlertingRule[],
): readonly string[] {
  let known: readonly { readonly name: string; readonly labels?: Labels }[] = [{ name }];
  const reads = (expr: string) =>
    known.some((each) => readsMetric(expr, each.name, each.labels ?? {}));
  for (let before = 0; before !== known.length;) {
    before = known.length;
    const made = recorded.filter(({ expr }) => reads(expr));
    known = [{ name }, ...made.map(({ record, labels = {} }) => ({ name: record, labels }))];
  }
  return alerts
    .filter(({ expr }) => reads(expr))
    .map(({ alert }) => alert)
    .sort();
}

/** Prefixes by which a stack's metrics are told from functions, labels and keywords. */
const prefixes =
  /^(holdfast|haproxy|http|node|probe|prometheus|alertmanager|process|property|mysql|redis|nginx|slo:)_?/;

/** Metrics that an expression reads, by their names; recorded ones are among them. */
export function metricsIn(expr: string): readonly string[] {
  return [...new Set(expr.replaceAll(quotedText, '""').match(identifier) ?? [])]
    .filter((name) => prefixes.test(name) && /[_:]/.test(name))
    .map((name) => name.replace(histogramPart, ""));
}
