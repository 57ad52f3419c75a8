import { expect } from "vitest";
import { describeReport, describeViolation, type Violation } from "../../loadtests/ledger";
import type { Watched } from "./dataStack";
import { expectNoFailedRequest } from "./expectations";
import { hostLoad } from "./hostLoad";

const listed = (violations: readonly Violation[]) =>
  violations.slice(0, 20).map(describeViolation).join("\n");

/** A report with what explains it: how busy this computer was, and what nodes logged. */
const explained = (report: string, { from, to, evidence }: Watched<unknown>) =>
  [hostLoad(from, to), report, evidence].join("\n");

/** Fails where an acknowledged write was lost or anything else is stored that must not be. */
export function expectNothingLost({ violations }: Watched<unknown>): void {
  expect(violations.length, listed(violations)).toBe(0);
}

/** Fails where a read failed, of either client. */
export function expectNoFailedRead(watched: Watched<unknown>): void {
  const { seen, books } = watched;
  expect(seen.failed - seen.notSent, explained(seen.describe(), watched)).toBe(0);
  expectNoFailedRequest(seen);
  expect(books.reads.failed, explained(describeReport(books), watched)).toBe(0);
  expect(books.reads.sent, describeReport(books)).toBeGreaterThan(0);
}

/** Fails where any request failed, writes included, or anything was lost. */
export function expectNothingFailed(watched: Watched<unknown>): void {
  const { books } = watched;
  expectNothingLost(watched);
  expectNoFailedRead(watched);
  const { refused, unknown, slow, acknowledged } = books.writes;
  expect({ refused, unknown, slow }, explained(describeReport(books), watched)).toEqual({
    refused: 0,
    unknown: 0,
    slow: 0,
  });
  expect(acknowledged, describeReport(books)).toBeGreaterThan(0);
}
