import { describe, expect, it } from "vitest";
import { downSeconds, slotsOf } from "../../model/availabilitySeries";
import { chunksOf, parseSeries, recordedPart, windowOf } from "../../operations/availability";

const now = Date.parse("2026-11-21T12:00:00Z") / 1000;

describe("the window of a report", () => {
  it.each([
    [[], 30 * 86_400],
    [["7d"], 7 * 86_400],
    [["12h"], 12 * 3600],
    [["2w"], 14 * 86_400],
    [["90m"], 5400],
  ])("%j", (args, length) => {
    expect(windowOf(args, now)).toEqual({ from: now - length, to: now, clipped: true });
  });

  it("is between two times, and ends now at the latest", () => {
    const from = Date.parse("2026-11-20T00:00Z") / 1000;
    expect(windowOf(["2026-11-20T00:00Z", "2026-11-21T00:00Z"], now)).toEqual({
      from,
      to: from + 86_400,
      clipped: false,
    });
    expect(windowOf(["2026-11-20T00:00Z", "2026-12-01T00:00Z"], now).to).toBe(now);
  });

  it.each([
    [["0d"]],
    [["week"]],
    [["7d", "2d"]],
    [["2026-11-21T00:00Z", "2026-11-20T00:00Z"]],
    [["2026-11-22T00:00Z", "2026-11-23T00:00Z"]],
    [["1d", "2d", "3d"]],
  ])("cannot be %j", (args) => {
    expect(() => windowOf(args, now)).toThrow(/^ARGS: found .*, allowed: a length such as 7d/);
  });

  it("is asked for by the day, to its end", () => {
    expect(chunksOf({ from: 0, to: 200_000, clipped: false })).toEqual([
      { end: 86_400, length: 86_400 },
      { end: 172_800, length: 86_400 },
      { end: 200_000, length: 27_200 },
    ]);
  });
});

describe("what a monitor answers", () => {
  // As Prometheus 2.53 says it.
  const answerOf = (result: string) =>
    `{"status":"success","data":{"resultType":"matrix","result":${result}}}`;
  const answer = answerOf(
    '[{"metric":{"__name__":"slo:down:bool"},"values":[[1795258683.907,"0"],[1795258688.925,"1"]]},{"metric":{"__name__":"slo:planned:bool"},"values":[[1795258683.907,"0"]]}]',
  );

  it("is read as two series", () => {
    expect(parseSeries(answer)).toEqual({
      down: [
        [1795258683.907, 0],
        [1795258688.925, 1],
      ],
      planned: [[1795258683.907, 0]],
    });
    expect(parseSeries(answerOf("[]"))).toEqual({ down: [], planned: [] });
  });

  const seen = (...times: readonly number[]) => ({
    down: times.map((at): [number, number] => [at, 0]),
    planned: [],
  });
  const window = { from: 1000, to: 2000, clipped: true };

  it.each([
    ["begins with the oldest record of any", [seen(1500, 1996), seen(1200)], [1200, 2000]],
    ["begins with the window where the records are older", [seen(900, 1996)], [1000, 2000]],
    ["leaves out the slots that nobody has evaluated yet", [seen(900, 1990)], [1000, 1995]],
    [
      "ends with the slot of the last sample, wherever in it that is",
      [seen(900, 1993.9)],
      [1000, 1995],
    ],
    ["keeps what is too long for that", [seen(900, 1984)], [1000, 2000]],
  ])("%s", (_what, monitors, [from, to]) => {
    expect(recordedPart(window, monitors)).toEqual({ from, to });
  });

  it("has no unseen slot at its end, at whatever moment samples are taken", () => {
    const times = Array.from({ length: 199 }, (_, n) => 1003.9 + 5 * n);
    const part = recordedPart(window, [seen(...times)]);
    const slots = slotsOf(part?.from ?? 0, part?.to ?? 0, [seen(...times)]);
    expect(downSeconds(slots, 0, slots.states.length).unseen).toBe(0);
  });

  it("has no part where nothing is recorded", () => {
    expect(recordedPart(window, [parseSeries(answerOf("[]"))])).toBeUndefined();
  });
});
