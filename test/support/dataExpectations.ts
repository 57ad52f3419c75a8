import { expect } from "vitest";
import { describeReport, describeViolation, type Violation } from "../../loadtests/ledger";
import type { Watched } from "./dataStack";
import { expectNoFailedRequest } from "./expectations";

const listed = (violations: readonly Violation[]) =>
  violations.slice(0, 20).map(describeViolation).join("\n");

/** Fails where an acknowledged write was lost or anything else is stored that must not be. */
export function expectNothingLost({ violations }: Watched<unknown>): void {
  expect(violations.length, listed(violations)).toBe(0);
}

/** Fails where a read failed, of either client. */
export function expectNoFailedRead({ seen, books, evidence }: Watched<unknown>): void {
  expect(seen.failed - seen.notSent, `${seen.describe()}\n${evidence}`).toBe(0);
  expectNoFailedRequest(seen);
  expect(books.reads.failed, `${describeReport(books)}\n${evidence}`).toBe(0);
  expect(books.reads.sent, describeReport(books)).toBeGreaterThan(0);
}

/** Fails where any request failed, writes included, or anything was lost. */
export function expectNothingFailed(watched: Watched<unknown>): void {
  const { books, evidence } = watched;
  expectNothingLost(watched);
  expectNoFailedRead(watched);
  const { refused, unknown, slow, acknowledged } = books.writes;
  expect({ refused, unknown, slow }, `${describeReport(books)}\n${evidence}`).toEqual({
    refused: 0,
    unknown: 0,
    slow: 0,
  });
  expect(acknowledged, describeReport(books)).toBeGreaterThan(0);
}
