import { defineConfig } from "vitest/config";

/** Suites with a live stack of their own and a command of their own: `make test-data`. */
const suites = ["acme", "alerts", "data", "monitoring", "security"];
const fileOf = (suite: string) => `test/e2e/${suite}.test.ts`;

/** Tests on live stacks: files and tests take turns. */
const live = {
  fileParallelism: false,
  testTimeout: 900_000,
  hookTimeout: 900_000,
  // Where faults may last at the same time, all of them do.
  maxConcurrency: 20,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/*.test.ts"],
          exclude: suites.map(fileOf),
          ...live,
        },
      },
      ...suites.map((name) => ({ test: { name, include: [fileOf(name)], ...live } })),
    ],
  },
});
