import { stringify } from "yaml";
import { slotSeconds } from "../../../model/slo";

/** Series over time in promtool's notation, one value every 5 s, by their selectors. */
export type Series = Readonly<Record<string, string>>;

/** What Prometheus sees, and when the alert is looked for. */
export interface Scenario {
  readonly series: Series;
  /** Seconds from the start. */
  readonly at: number | readonly number[];
}

/** An alert made to fire, and a state close to it in which it must not. */
export interface AlertCase {
  readonly alert: string;
  /** Default 1. */
  readonly timeScale?: number;
  /** `labels`: what the alert says of its place, beside what its rule adds. */
  readonly fires: Scenario & { readonly labels: Readonly<Record<string, string>> };
  /** Absent where the alert is always on. */
  readonly silent?: Scenario;
}

/** The value for so many seconds. */
export const held = (value: number | "_", seconds: number) =>
  value === "_" ? `_x${seconds / slotSeconds}` : `${value}x${seconds / slotSeconds - 1}`;
/** Values one after the other. */
export const sequence = (...parts: string[]) => parts.join(" ");
/** A counter that grows so much every 5 s. */
export const growing = (by: number, seconds: number) => `0+${by}x${seconds / slotSeconds}`;
/** Every n-th value 1, the others 0. */
export const oneIn = (n: number, seconds: number) =>
  Array.from({ length: seconds / slotSeconds }, (_, at) => (at % n === n - 1 ? 1 : 0)).join(" ");

const labelText = (labels: Readonly<Record<string, string>>) =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(", ")}}`;

interface ExprTest {
  readonly expr: string;
  readonly eval_time: string;
  readonly exp_samples: readonly { readonly labels: string; readonly value: number }[];
}

/** A test as `promtool test rules` reads it: what an expression returns. */
export interface PromtoolTest {
  readonly name: string;
  readonly series: Series;
  readonly expect: readonly ExprTest[];
}

/** An expression and what it returns at some seconds. */
export function returns(
  expr: string,
  at: number | readonly number[],
  samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[],
): readonly ExprTest[] {
  return [at].flat().map((seconds) => ({
    expr,
    eval_time: `${seconds}s`,
    exp_samples: samples.map(({ labels, value }) => ({ labels: labelText(labels), value })),
  }));
}

const firing = (alert: string) => `ALERTS{alertname="${alert}",alertstate="firing"}`;

/** Both tests of a case. */
export function testsOf({ alert, fires, silent }: AlertCase): readonly PromtoolTest[] {
  const names = Object.keys(fires.labels).join(", ");
  return [
    {
      name: `${alert} fires`,
      series: fires.series,
      expect: returns(`count by (${names}) (${firing(alert)})`, fires.at, [
        { labels: fires.labels, value: 1 },
      ]),
    },
    ...(silent
      ? [
          {
            name: `${alert} is silent`,
            series: silent.series,
            expect: returns(firing(alert), silent.at, []),
          },
        ]
      : []),
  ];
}

/** A test file of promtool for one rule file. */
export function promtoolFile(rules: string, tests: readonly PromtoolTest[]): string {
  return stringify(
    {
      rule_files: [rules],
      evaluation_interval: `${slotSeconds}s`,
      tests: tests.map(({ name, series, expect }) => ({
        name,
        interval: `${slotSeconds}s`,
        input_series: Object.entries(series).map(([selector, values]) => ({
          series: selector,
          values,
        })),
        promql_expr_test: expect,
      })),
    },
    { lineWidth: 0 },
  );
}
