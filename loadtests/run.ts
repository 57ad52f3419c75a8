/**
 * `make load`: reads a stack's outputs, sends load to that stack and to nothing else, and leaves a
 * report in `reports/`. Exit code: 0 passed, 1 failed requests, 2 could not run.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { execa, type ResultPromise } from "execa";
import { startLoad, type Load, type LoadReport, type PathSpec } from "./client";
import { readK6Summary, type K6Result } from "./k6Summary";
import { renderPage } from "./page";
import { runSettings, type RunSettings } from "./settings";
import { pathsOf } from "./shared";
import { targetsOf, type LoadTargets, type StackOutputs } from "./stackOutputs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

/** Share of the load that the client that never retries sends beside k6. */
const clientShare = 0.2;

interface Run {
  readonly settings: RunSettings;
  readonly outputs: StackOutputs;
  readonly targets: LoadTargets;
  /** Folder of the report. */
  readonly folder: string;
}

async function main(): Promise<number> {
  const settings = runSettings(process.argv.slice(2), process.env);
  const outputs = await readOutputs(settings);
  const targets = targetsOf(outputs, settings.httpsPort);
  const { scenario, stack } = settings;
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "");
  const folder = join(root, "reports", `${time}-${stack.replaceAll("/", "-")}-${scenario}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "outputs.json"), JSON.stringify(outputs, undefined, 2));
  await writeFile(join(folder, "ca.pem"), outputs.caCertificate ?? "");
  const run: Run = { settings, outputs, targets, folder };

  const where = [targets.http, targets.https].filter(Boolean).join(" and ");
  console.log(`load ${scenario} on stack ${stack}: ${where}`);
  const rates = { smoke: [0, 0], steady: [1 - clientShare, clientShare], noretry: [0, 1] };
  const [k6Share = 0, share = 0] = rates[scenario === "roll" ? "steady" : scenario];

  const client = share > 0 ? await startClient(run, settings.rate * share) : undefined;
  const k6 = scenario === "noretry" ? undefined : startK6(run, settings.rate * k6Share);
  const interrupt = () => {
    console.log("stopping; the report follows");
    k6?.kill("SIGINT");
    if (!k6) void client?.stop();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);

  try {
    const k6Result = k6 ? await finishK6(run, k6) : undefined;
    // Beside k6 the client goes on until k6 is done; alone it ends by itself.
    const report = k6 ? await client?.stop() : await client?.ended;
    return await writeReport(run, k6Result, report);
  } finally {
    // It has ended, unless something went wrong above.
    k6?.kill("SIGKILL");
    await client?.kill();
  }
}

async function readOutputs({ stack, outputsFile }: RunSettings): Promise<StackOutputs> {
  if (outputsFile) return JSON.parse(await readFile(outputsFile, "utf8")) as StackOutputs;
  const result = await execa("pulumi", ["stack", "output", "--json", "--stack", stack], {
    cwd: root,
    reject: false,
  });
  if (result.failed) {
    const why = result.code === "ENOENT" ? "pulumi is not on PATH" : result.stderr.trim();
    throw new Error(`cannot read the outputs of stack ${stack}: ${why}`);
  }
  return JSON.parse(result.stdout) as StackOutputs;
}

function startClient({ settings, outputs, targets }: Run, rate: number): Promise<Load> {
  const { http, https, addresses } = targets;
  const paths =
    settings.paths?.map((path): PathSpec => ({ path, nonce: "none" })) ?? pathsOf[settings.app];
  let seconds = 0;
  return startLoad({
    targets: { ...(http && { http }), ...(https && { https }) },
    ...(outputs.caCertificate && { ca: outputs.caCertificate }),
    networks: addresses.map((address) => `${address}/32`),
    rate,
    // Beside k6 it ends when k6 does, which needs some time to start and to finish.
    maxDurationMs:
      settings.durationSeconds * 1000 + (settings.scenario === "noretry" ? 0 : 120_000),
    paths,
    onProgress: ({ sent, ok, failed, p99Ms }) => {
      seconds += 1;
      if (seconds % 5 !== 0 && failed === 0) return;
      console.log(`  ${seconds} s: sent ${sent}, ok ${ok}, failed ${failed}, p99 ${p99Ms} ms`);
    },
  });
}

function startK6({ settings, folder }: Run, rate: number): ResultPromise {
  const { scenario, durationSeconds, app, paths, httpsPort } = settings;
  const variables = {
    STACK_OUTPUTS: join(folder, "outputs.json"),
    SUMMARY: join(folder, "k6.json"),
    HTTPS_PORT: String(httpsPort),
    ...(scenario !== "smoke" && { RATE: String(rate), DURATION: String(durationSeconds) }),
    APP: app,
    ...(paths && { PATHS: paths.join(",") }),
  };
  const args = Object.entries(variables).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  return execa("k6", ["run", "--quiet", ...args, join(here, "k6", `${scenario}.ts`)], {
    env: {
      SSL_CERT_FILE: join(folder, "ca.pem"),
      SSL_CERT_DIR: join(folder, "none"),
      K6_NO_USAGE_REPORT: "true",
      // A smoke test is over before k6 has a second data point to draw.
      ...(scenario !== "smoke" && {
        K6_WEB_DASHBOARD: "true",
        K6_WEB_DASHBOARD_PORT: "-1",
        K6_WEB_DASHBOARD_EXPORT: join(folder, "k6.html"),
      }),
    },
    stdio: ["ignore", "inherit", "inherit"],
    reject: false,
    // Ctrl-C reaches it through this process, once.
    detached: true,
  });
}

async function finishK6({ folder }: Run, k6: ResultPromise): Promise<K6Result> {
  const result = await k6;
  const file = join(folder, "k6.json");
  if (!existsSync(file)) {
    const why =
      result.code === "ENOENT"
        ? "k6 is not on PATH (make doctor shows the tools; SCENARIO=noretry needs no k6)"
        : `k6 ended with ${result.signal ?? `code ${result.exitCode}`} and left no summary`;
    throw new Error(why);
  }
  return readK6Summary(await readFile(file, "utf8"));
}

async function writeReport(
  { settings, folder }: Run,
  k6: K6Result | undefined,
  client: LoadReport | undefined,
): Promise<number> {
  const problems = [...(k6?.problems ?? []), ...(client?.verdict().problems ?? [])];
  const passed = problems.length === 0;
  const page = join(folder, "index.html");
  await writeFile(
    page,
    renderPage({
      title: `Load ${settings.scenario} on stack ${settings.stack}`,
      passed,
      problems,
      k6,
      k6Report: existsSync(join(folder, "k6.html")) ? "k6.html" : undefined,
      client,
    }),
  );
  await writeFile(
    join(folder, "result.json"),
    JSON.stringify({ ...settings, passed, problems, k6, client }, undefined, 2),
  );
  if (client) console.log(client.describe());
  console.log(`report: ${relative(process.cwd(), page)}`);
  console.log(passed ? "passed" : `failed:\n  ${problems.join("\n  ")}`);
  return passed ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  },
);
