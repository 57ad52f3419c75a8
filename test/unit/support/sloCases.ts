import { deploy, probe, ratio, responses } from "./alertSeries";
import { growing, held, returns, sequence, type PromtoolTest } from "./promtool";

/** What the recording rules make of what is measured, number by number. */
export const sloCases: readonly PromtoolTest[] = [
  {
    name: "a slot is down when either monitor's probe fails",
    series: {
      [probe("vip", "a")]: sequence(held(1, 30), held(0, 30)),
      [probe("vip", "b")]: sequence(held(1, 20), held(0, 5), held(1, 35)),
    },
    expect: [
      ...returns("slo:down:bool", [0, 15, 25], [{ labels: named("slo:down:bool"), value: 0 }]),
      ...returns("slo:down:bool", [20, 30, 55], [{ labels: named("slo:down:bool"), value: 1 }]),
    ],
  },
  {
    name: "a slot is down when more than 5 % of its requests fail, in that slot alone",
    series: {
      [probe("vip", "a")]: held(1, 60),
      [responses("2xx")]: growing(95, 60),
      // Six of 101 in one slot, five of a hundred in all others.
      [responses("5xx")]: "0 5 10 15 21 26 31 36 41 46 51 56",
    },
    expect: [
      ...returns("slo:requests:rate", 10, [{ labels: named("slo:requests:rate"), value: 20 }]),
      ...returns("slo:down:bool", [15, 25, 30], [{ labels: named("slo:down:bool"), value: 0 }]),
      ...returns("slo:down:bool", 20, [{ labels: named("slo:down:bool"), value: 1 }]),
    ],
  },
  {
    name: "a slot that nobody probed is neither up nor down",
    series: {
      [probe("vip", "a")]: sequence(held(1, 20), "stale"),
      [responses("2xx")]: growing(95, 60),
      [responses("5xx")]: growing(5, 60),
    },
    expect: returns("slo:down:bool", 25, []),
  },
  {
    name: "a load balancer that starts anew counts from nothing",
    series: {
      [probe("vip", "a")]: held(1, 60),
      [responses("2xx")]: "1000 1100 1200 50 150 250",
      [responses("5xx")]: "500 500 500 1 1 1",
    },
    expect: returns("slo:down:bool", [5, 15, 25], [{ labels: named("slo:down:bool"), value: 0 }]),
  },
  {
    name: "ten slots down leave 1 - 50 s / 2592 s of the budget",
    series: { [probe("vip", "a")]: sequence(held(1, 50), held(0, 50), held(1, 250)) },
    expect: [
      ...returns('round(slo:error_budget_remaining:ratio{slo="availability"}, 0.0001)', 310, [
        { labels: { slo: "availability" }, value: 0.9807 },
      ]),
      // In the 61 slots from 0 s to 300 s.
      ...returns(`round(${ratio("availability", "5m")} * 61)`, 300, [
        { labels: { slo: "availability" }, value: 10 },
      ]),
    ],
  },
  {
    name: "requests that machines make, and failed ones, are not timed",
    series: {
      'http_request_duration_seconds_count{route="/",status="200"}': growing(50, 60),
      'http_request_duration_seconds_bucket{route="/",status="200",le="0.5"}': growing(40, 60),
      'http_request_duration_seconds_count{route="/",status="503"}': growing(50, 60),
      'http_request_duration_seconds_bucket{route="/",status="503",le="0.5"}': growing(50, 60),
      'http_request_duration_seconds_count{route="/healthz",status="200"}': growing(50, 60),
      'http_request_duration_seconds_bucket{route="/healthz",status="200",le="0.5"}': growing(
        50,
        60,
      ),
    },
    expect: [
      ...returns("slo:requests_timed:rate", 50, [
        { labels: named("slo:requests_timed:rate"), value: 10 },
      ]),
      ...returns("slo:requests_slow:rate", 50, [
        { labels: named("slo:requests_slow:rate"), value: 2 },
      ]),
    ],
  },
  {
    name: "an outage is planned while a change is open, and not once it has been given up",
    series: {
      [deploy("started")]: sequence(held("_", 20), held(20, 2000)),
      [deploy("finished")]: sequence(held("_", 100), held("_", 20)),
    },
    expect: [
      ...returns(
        "slo:planned:bool",
        [0, 15, 1825],
        [{ labels: named("slo:planned:bool"), value: 0 }],
      ),
      ...returns("slo:planned:bool", [20, 1820], [{ labels: named("slo:planned:bool"), value: 1 }]),
    ],
  },
  {
    name: "an outage is not planned once the change has stopped half-way",
    series: {
      [deploy("started")]: sequence(held("_", 20), held(20, 200)),
      [deploy("stopped")]: sequence(held("_", 60), held(60, 160)),
    },
    expect: [
      ...returns("slo:planned:bool", [20, 55], [{ labels: named("slo:planned:bool"), value: 1 }]),
      ...returns("slo:planned:bool", [60, 100], [{ labels: named("slo:planned:bool"), value: 0 }]),
    ],
  },
];

function named(metric: string): Record<string, string> {
  return { __name__: metric };
}
