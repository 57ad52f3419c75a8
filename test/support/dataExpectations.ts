import { expect } from "vitest";
import { describeReport, describeViolation, type Violation } from "../../loadtests/ledger";
import type { Watched } from "./dataStack";
import { expectNoFailedRequest } from "./expectations";
import { hostLoad } from "./hostLoad";

const listed = (violations: readonly Violation[]) =>
  violations.slice(0, 20).map(describeViolation).join("\n");

/** Fails where an acknowledged write was lost or anything else is stored that must not be. */
export function expectNothingLost({ violations }: Watched<unknown>): void {
  expect(violations.length, listed(violations)).toBe(0);
}

/** Fails where a read failed, of either client. */
export function expectNoFailedRead({ seen, books, from, to, evidence }: Watched<unknown>): void {
  const host = hostLoad(from, to);
  expect(seen.failed - seen.notSent, `${host}\n${seen.describe()}\n${evidence}`).toBe(0);
  expectNoFailedRequest(seen);
  expect(books.reads.failed, `${host}\n${describeReport(books)}\n${evidence}`).toBe(0);
  expect(books.reads.sent, describeReport(books)).toBeGreaterThan(0);
}

/** Fails where any request failed, writes included, or anything was lost. */
export function expectNothingFailed(watched: Watched<unknown>): void {
  const { books, from, to, evidence } = watched;
  expectNothingLost(watched);
  expectNoFailedRead(watched);
  const { refused, unknown, slow, acknowledged } = books.writes;
  const told = `${hostLoad(from, to)}\n${describeReport(books)}\n${evidence}`;
  expect({ refused, unknown, slow }, told).toEqual({
    refused: 0,
    unknown: 0,
    slow: 0,
  });
  expect(acknowledged, describeReport(books)).toBeGreaterThan(0);
}
