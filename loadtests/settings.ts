import { applications, defaultDurationSeconds, defaultRate, type Application } from "./shared";
import { limits } from "./client/options";

export const scenarios = ["smoke", "steady", "roll", "noretry"] as const;
export type Scenario = (typeof scenarios)[number];

/** What `make load` was asked for. */
export interface RunSettings {
  readonly scenario: Scenario;
  readonly stack: string;
  /** Planned requests a second. */
  readonly rate: number;
  readonly durationSeconds: number;
  /** Sample application whose paths are requested. */
  readonly app: Application;
  /** Paths of another application; undefined: those of `app`. */
  readonly paths: readonly string[] | undefined;
  readonly httpsPort: number;
  /** File with the stack's outputs instead of asking Pulumi. */
  readonly outputsFile: string | undefined;
}

export const usage = `make load SCENARIO=${scenarios.join("|")} [STACK=dev] [RATE=${defaultRate}] [DURATION=seconds] [APP=hello|property] [PATHS=/,/shop] [HTTPS_PORT=443]`;

const keys = ["SCENARIO", "STACK", "RATE", "DURATION", "APP", "PATHS", "HTTPS_PORT", "OUTPUTS"];

/**
 * Reads settings from words such as `SCENARIO=steady`, before those from the environment. Throws
 * one Error that lists every mistake.
 */
export function runSettings(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RunSettings {
  const problems: string[] = [];
  const given: Record<string, string> = {};
  for (const word of words) {
    const [key = "", ...rest] = word.split("=");
    if (!keys.includes(key) || rest.length === 0) {
      problems.push(`found ${JSON.stringify(word)}, allowed: ${keys.join("=, ")}=`);
    } else {
      given[key] = rest.join("=");
    }
  }
  const read = (key: string) => given[key] || env[key] || undefined;
  const number = (key: string, fallback: number, max: number) => {
    const text = read(key) ?? String(fallback);
    const value = Number(text);
    if (!(value > 0 && value <= max)) {
      problems.push(`${key}: found ${JSON.stringify(text)}, allowed: above 0, at most ${max}`);
    }
    return value;
  };

  const name = read("SCENARIO");
  const scenario = scenarios.find((known) => known === name);
  if (!scenario) {
    problems.push(
      `SCENARIO: found ${name === undefined ? "nothing" : JSON.stringify(name)}, allowed: one of ${scenarios.join(", ")}`,
    );
  }
  const stack = read("STACK") ?? "dev";
  if (!/^[\w.-]+(\/[\w.-]+){0,2}$/.test(stack) || stack.startsWith("-")) {
    problems.push(`STACK: found ${JSON.stringify(stack)}, allowed: the name of a stack`);
  }
  const paths = read("PATHS")?.split(",");
  for (const path of paths ?? []) {
    if (!/^\/[!-~]*$/.test(path)) {
      problems.push(`PATHS: found ${JSON.stringify(path)}, allowed: paths that start with /`);
    }
  }
  const appName = read("APP") ?? "hello";
  const app = applications.find((known) => known === appName);
  if (!app) {
    problems.push(
      `APP: found ${JSON.stringify(appName)}, allowed: one of ${applications.join(", ")}`,
    );
  }
  const settings: RunSettings = {
    scenario: scenario ?? "smoke",
    stack,
    rate: number("RATE", defaultRate, limits.rate),
    durationSeconds: number(
      "DURATION",
      scenario === "roll" ? 600 : defaultDurationSeconds,
      limits.durationMs / 1000,
    ),
    app: app ?? "hello",
    paths,
    httpsPort: number("HTTPS_PORT", 443, 65535),
    outputsFile: read("OUTPUTS"),
  };
  if (problems.length > 0) {
    throw new Error(`the load cannot start:\n  ${problems.join("\n  ")}\nusage: ${usage}`);
  }
  return settings;
}
