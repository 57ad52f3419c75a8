import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  allowedSeconds,
  availability,
  budgetOf,
  ninesOf,
  ninesTable,
  percentText,
  timeText,
} from "../../model/availability";
import { renderPage } from "../../model/availabilityPage";
import { renderJson, renderText, reportOf } from "../../model/availabilityReport";
import {
  incidentsOf,
  partsOf,
  slotsOf,
  sumOf,
  type MonitorSeries,
  type Sample,
} from "../../model/availabilitySeries";

const [minute, hour, day, week] = [60, 3600, 86_400, 7 * 86_400];
const month = 30 * day;

/** The examples of docs/availability.md. */
describe("the worked examples", () => {
  it("two outages of 37 and 15 minutes in a month are below three nines", () => {
    const share = availability(month, (37 + 15) * minute);
    expect(percentText(share)).toBe("99.8796 %");
    expect(ninesOf(share)).toBe(2);
  });

  it("a maintenance window of two hours a week, and not one failure, is below two nines", () => {
    const share = availability(week, 2 * hour);
    expect(percentText(share, 2)).toBe("98.81 %");
    expect(ninesOf(share)).toBe(1);
  });

  it("twelve hours down in a week", () => {
    const share = availability(week, 12 * hour);
    expect(percentText(share, 2)).toBe("92.86 %");
    expect(ninesOf(share)).toBe(1);
  });

  it.each([
    ["99 %", 0.99, "432 min", 432 * minute],
    ["99.9 %", 0.999, "43 min", 43.2 * minute],
    ["99.99 %", 0.9999, "4.3 min", 259.2],
    ["99.999 %", 0.99999, "26 s", 25.92],
    ["99.9999 %", 0.999999, "2.6 s", 2.592],
  ])("%s allows so much a month", (_name, share, text, seconds) => {
    expect(allowedSeconds(share, month)).toBe(seconds);
    expect(timeText(allowedSeconds(share, month))).toBe(text);
    expect(ninesTable().find((row) => row.share === share)?.month).toBe(seconds);
  });
});

describe("availability", () => {
  it("refuses what is no share", () => {
    for (const [total, down] of [
      [0, 0],
      [10, 11],
      [10, -1],
      [NaN, 0],
      [10, NaN],
    ] as const) {
      expect(() => availability(total, down)).toThrow(RangeError);
    }
  });

  it("counts nines from the exact boundary on", () => {
    for (const row of ninesTable()) {
      expect(ninesOf(row.share), String(row.share)).toBe(row.nines);
      expect(ninesOf(row.share - 1e-9), String(row.share)).toBe(row.nines - 1);
    }
    expect(ninesOf(1)).toBe(6);
    expect(ninesOf(0)).toBe(0);
  });

  it("never shows more nines than were reached", () => {
    expect(percentText(0.99999996)).toBe("99.999996 %");
    expect(percentText(0.999899999)).toBe("99.9899999 %");
    expect(percentText(1)).toBe("100.0000 %");
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (share) => {
        const shown = Number(percentText(share).replace(" %", "")) / 100;
        expect(ninesOf(shown)).toBeLessThanOrEqual(ninesOf(share));
        expect(Math.abs(shown - share)).toBeLessThanOrEqual(1e-6);
      }),
    );
  });

  it("tells what is left of the budget", () => {
    expect(budgetOf(0.999, month, 52 * minute)).toEqual({
      allowedSeconds: 2592,
      spentSeconds: 3120,
      leftSeconds: -528,
      leftShare: -0.203703703704,
    });
    expect(budgetOf(0.999, month, 0)).toMatchObject({ leftSeconds: 2592, leftShare: 1 });
  });

  it.each([
    [0, "0 s"],
    [5, "5 s"],
    [119, "119 s"],
    [900, "15 min"],
    [90 * minute, "90 min"],
    [12 * hour, "12 h"],
    [month, "30 d"],
  ])("says %d seconds as %s", (seconds, text) => {
    expect(timeText(seconds)).toBe(text);
  });
});

/** One value a slot, taken in its middle. */
function samples(
  from: number,
  values: string,
  meaning: Readonly<Record<string, number>>,
): Sample[] {
  return values.split("").flatMap((sign, index): Sample[] => {
    const value = meaning[sign];
    return value === undefined ? [] : [[from + index * 5 + 2.5, value]];
  });
}

/** `-` up, `D` down, `?` nothing recorded; in `planned`: `P` a change is going on. */
function monitor(from: number, down: string, planned = ""): MonitorSeries {
  return {
    down: samples(from, down, { "-": 0, D: 1 }),
    planned: samples(from, planned, { "-": 0, P: 1 }),
  };
}

const start = 1_800_000_000;
const slotsOfText = (down: string, planned = "") =>
  slotsOf(start, start + down.length * 5, [monitor(start, down, planned)]);

describe("slots", () => {
  it("are down when one monitor says so", () => {
    const slots = slotsOf(start, start + 20, [monitor(start, "-D--"), monitor(start, "--D?")]);
    expect([...slots.states]).toEqual([1, 2, 2, 1]);
  });

  it("have no hole while one of two monitors looks", () => {
    const dead = monitor(start, "--????????????????--");
    const alive = monitor(start, "--------------------");
    expect(incidentsOf(slotsOf(start, start + 100, [dead, alive]))).toEqual([]);
    expect(incidentsOf(slotsOf(start, start + 100, [dead]))).toHaveLength(1);
  });

  it("count as unseen when nobody looked for longer than three rounds", () => {
    expect([...slotsOfText("-???-").states]).toEqual([1, 1, 1, 1, 1]);
    expect([...slotsOfText("-???D").states]).toEqual([1, 2, 2, 2, 2]);
    expect([...slotsOfText("-????-").states]).toEqual([1, 0, 0, 0, 0, 1]);
    expect([...slotsOfText("?-?").states]).toEqual([0, 1, 0]);
  });

  it("leave out what lies outside", () => {
    expect([...slotsOf(start + 5, start + 15, [monitor(start, "D--D")]).states]).toEqual([1, 1]);
    expect(() => slotsOf(start, start, [])).toThrow(RangeError);
  });
});

describe("incidents", () => {
  it("join what is up for less than a minute between", () => {
    const up = (slots: number) => "-".repeat(slots);
    expect(incidentsOf(slotsOfText(`-DD${up(11)}D--`))).toEqual([
      { from: start + 5, to: start + 75, down: { planned: 0, unplanned: 15, unseen: 0 } },
    ]);
    expect(incidentsOf(slotsOfText(`-DD${up(12)}D--`))).toHaveLength(2);
  });

  it("tell planned from unplanned and unseen", () => {
    expect(incidentsOf(slotsOfText("-DDD?????-", "-PP-P-----"))).toEqual([
      { from: start + 5, to: start + 45, down: { planned: 10, unplanned: 5, unseen: 25 } },
    ]);
  });
});

describe("the report", () => {
  /** A month with 37 minutes unplanned, 15 minutes planned. */
  function monthly(): ReturnType<typeof reportOf> {
    const inMonth = (from: number, to: number) => (at: number) => at >= from && at < to;
    const failed = inMonth(5 * day, 5 * day + 37 * minute);
    const changed = inMonth(20 * day, 20 * day + 15 * minute);
    const at = Array.from({ length: month / 5 }, (_, index) => index * 5);
    const down = at.map((time): Sample => [start + time, failed(time) || changed(time) ? 1 : 0]);
    const planned = at.map((time): Sample => [start + time, changed(time) ? 1 : 0]);
    return reportOf("shop", slotsOf(start, start + month, [{ down, planned }]), 0.999);
  }
  const report = monthly();

  it("equals the known figures", () => {
    expect(report).toMatchObject({
      totalSeconds: month,
      downSeconds: 52 * minute,
      down: { planned: 15 * minute, unplanned: 37 * minute, unseen: 0 },
      nines: 2,
      budget: { allowedSeconds: 2592, leftSeconds: -528 },
    });
    expect(report.incidents.map(({ from }) => from - start)).toEqual([5 * day, 20 * day]);
  });

  it("as text", () => {
    expect(renderText(report)).toBe(`shop: 99.8796 % available (2 nines)
from 2027-01-15 08:00:00 to 2027-02-14 08:00:00 UTC, 30 d
down: 15 min planned, 37 min unplanned; planned outages and times that nobody saw count as down
formula: (2592000 s - 3120 s) / 2592000 s = 99.8796 %
objective 99.9 % missed: 52 min of 43 min error budget spent, 8.8 min too much

   class    available   a week    a month   a year
   1 nine   90 %        17 h      3 d       37 d
 * 2 nines  99 %        101 min   432 min   3.6 d
   3 nines  99.9 %      10 min    43 min    526 min
   4 nines  99.99 %     60 s      4.3 min   53 min
   5 nines  99.999 %    6.0 s     26 s      5.3 min
   6 nines  99.9999 %   0.6 s     2.6 s     32 s

worst of 2 incidents:
  2027-01-20 08:00:00 to 08:37:00: 37 min unplanned
  2027-02-04 08:00:00 to 08:15:00: 15 min planned
`);
  });

  it("as JSON that reads back", () => {
    expect(JSON.parse(renderJson(report))).toEqual(report);
  });

  it("as a page that needs nothing else", () => {
    const page = renderPage({ ...report, stack: "<shop>" });
    expect(page).toContain("<title>Availability of &#60;shop&#62;</title>");
    expect(page).not.toMatch(/<(script|link|img)|https?:/);
    expect(page.match(/<g>/g)).toHaveLength(report.parts.length);
    expect(page.match(/class="unplanned" x=/g)).toHaveLength(1);
    expect(page.match(/class="planned" x=/g)).toHaveLength(1);
    expect(page).toContain('<tr class="here"><td>2 nines</td>');
  });

  it("says nothing was wrong when nothing was", () => {
    const good = reportOf("shop", slotsOfText("-".repeat(100)), 0.999);
    expect(renderText(good)).toContain("no incidents");
    expect(renderText(good)).toContain("shop: 100.0000 % available (6 nines)");
    expect(renderPage(good)).toContain("<p>None.</p>");
  });

  it("counts the same seconds in the whole, in its incidents and in its parts", () => {
    const signs = fc.string({ unit: fc.constantFrom("-", "D", "?"), minLength: 1, maxLength: 400 });
    const changes = fc.string({ unit: fc.constantFrom("-", "P"), maxLength: 400 });
    fc.assert(
      fc.property(signs, changes, (down, planned) => {
        const slots = slotsOfText(down, planned);
        const whole = reportOf("x", slots, 0.999);
        const sum = (parts: readonly { down: typeof whole.down }[]) =>
          parts.reduce((all, part) => all + sumOf(part.down), 0);
        expect(sum(whole.incidents)).toBe(whole.downSeconds);
        expect(sum(whole.parts)).toBe(whole.downSeconds);
        expect(whole.parts.reduce((all, { seconds }) => all + seconds, 0)).toBe(whole.totalSeconds);
      }),
    );
  });

  it.each([hour, day, week, month, 365 * day, 3000 * day])("has few parts over %d s", (seconds) => {
    const slots = slotsOf(start, start + seconds, []);
    expect(partsOf(slots).length).toBeLessThanOrEqual(120);
  });
});
