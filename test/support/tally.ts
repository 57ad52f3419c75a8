import { stripVTControlCharacters } from "node:util";

/** What vitest's JSON report says, as far as it is counted. */
export interface JsonReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name?: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName?: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Tests of one run. A file that could not be run counts as a failed test, and so does a run that
 * failed for no test's reason or left no report.
 */
export function tally(report: JsonReport | undefined, exitCode: number): Tally {
  if (!report) return { passed: 0, failed: 1 };
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
  };
}

const longestReason = 900;

/**
 * What failed and why, each in a few lines: shown last, since the end of a long log is often all
 * that is kept of it.
 */
export function failures(report: JsonReport | undefined): readonly string[] {
  return (report?.testResults ?? []).flatMap((file) => {
    const tests = file.assertionResults.filter(({ status }) => status === "failed");
    if (tests.length === 0 && file.status === "failed") {
      return [`${file.name ?? "a file"}: ${reason(file.message)}`];
    }
    return tests.map((test) => `${test.fullName ?? ""}: ${reason(test.failureMessages?.[0])}`);
  });
}

/** A message without colours and without the lines that say where in the code it came up. */
function reason(message = "no reason given"): string {
  const text = stripVTControlCharacters(message)
    .split("\n")
    .filter((line) => !/^\s+at /.test(line))
    .join("\n")
    .trim();
  return text.length > longestReason ? `${text.slice(0, longestReason)}...` : text;
}

/** The last line of `make test`, and whether all is well: no failure, and something was tested. */
export function verdict(tallies: readonly Tally[]): { line: string; ok: boolean } {
  const passed = tallies.reduce((sum, one) => sum + one.passed, 0);
  const failed = tallies.reduce((sum, one) => sum + one.failed, 0);
  return { line: `${passed} passed, ${failed} failed`, ok: failed === 0 && passed > 0 };
}
