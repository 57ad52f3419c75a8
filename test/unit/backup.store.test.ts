import { describe, expect, test } from "vitest";
import { reasonOf } from "../../agents/backup/store";

describe("Reason of a failure of the store", () => {
  test("what was retried says more than the end of the retries", () => {
    expect(
      reasonOf([
        "Load(<config/0000000000>, 0, 0) returned error, retrying after 552ms: connection refused",
        "Fatal: unable to open config file",
      ]),
    ).toBe("connection refused");
  });

  test("the fatal line without what restic puts before it", () => {
    expect(reasonOf(["subprocess: Fatal: wrong password or no key found"])).toBe(
      "wrong password or no key found",
    );
  });

  test("lines of another kind are all given, and silence is named", () => {
    expect(reasonOf(["one", "two"])).toBe("one | two");
    expect(reasonOf([])).toBe("restic said nothing");
  });
});
