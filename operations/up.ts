import { rmSync } from "node:fs";
import path from "node:path";
import type { z } from "zod";
import { appTls } from "../components/appPool.tier";
import { webTls } from "../components/webPool.tier";
import { leaps } from "../model/rotation";
import { checkSettings, parseSettings } from "../model/settings";
import { metricsStageSkipped, stageSkipped, type TlsStage } from "../model/tls";
import { tiers } from "../tiers";
import { runIfProgram, variable, words } from "./command";
import { markedUpdate } from "./deployMarkers";
import { goingDownFile } from "./gate";
import { bringImages } from "./images";
import { afterUp, urlProblem } from "./outputs";
import {
  breakStaleLocks,
  initStack,
  Interrupted,
  policyArguments,
  readOutputs,
  readState,
  requireConfigFile,
  runPulumi,
  selectStack,
  stackFromEnvironment,
  type Stack,
} from "./pulumi";
import { deployedBefore, engineProblem } from "./reach";
import { settingsOf } from "./settingsFile";
import { settle } from "./settle";
import { deployedMachines, gateSpecs, gatesOfTier, inForce, type StackState } from "./stackState";

/**
 * Throws where a machine's engine is dead, before anything is changed. `except` are machines that
 * are about to be made.
 */
export async function requireEngines(
  stack: Stack,
  state: StackState,
  except: readonly string[] = [],
): Promise<void> {
  const made = [...deployedMachines(state, stack.name).values()].filter(
    (target) => deployedBefore(target) && !except.includes(target.machine),
  );
  const problems = await Promise.all(made.map(engineProblem));
  const dead = made.flatMap(({ machine }, index) =>
    problems[index] === undefined ? [] : [{ machine, problem: problems[index] }],
  );
  if (dead.length === 0) return;
  const keys = [...except, ...dead.map(({ machine }) => machine)].join(",");
  throw new Error(
    [
      ...dead.map(({ machine, problem }) => `machine ${machine}: ${problem}`),
      `nothing was changed; bring back what is lost, with its nodes: make replace-machine MACHINE=${keys} STACK=${stack.reference}`,
    ].join("\n"),
  );
}

/** Tiers whose TLS would be switched by more than a stage at once, each with what is allowed. */
function skippedTls(written: Readonly<Record<string, unknown>>, state: StackState): string[] {
  // A setting that is wrong says nothing here; the program names it.
  const read = <T>(schema: z.ZodType<T>, tier: string, key: string) =>
    schema.safeParse((written[tier] as Readonly<Record<string, unknown>> | undefined)?.[key]).data;
  const { shape } = tiers.loadBalancer.settings;
  const balancers = read(shape.count, "loadBalancer", "count") ?? 0;
  const stages = {
    webPool: webTls({ tls: read(tiers.webPool.settings.shape.tls, "webPool", "tls") }, balancers),
    appPool: appTls({ tls: read(tiers.appPool.settings.shape.tls, "appPool", "tls") }),
  };
  return Object.entries(stages).flatMap(([tier, stage]) => {
    const nodes = gatesOfTier(state, tier).map(
      ({ node, service }) => [node, service.tls ?? "off"] as const,
    );
    return stageSkipped(`holdfast:${tier}.tls`, stage, Object.fromEntries(nodes)) ?? [];
  });
}

/** Likewise TLS on the ports on which nodes tell of themselves. */
function skippedMetricsTls(written: TlsStage, state: StackState): string[] {
  const telling = gateSpecs(state).filter(({ service }) => service.statusPort !== undefined);
  const nodes = telling.map(({ node, service }) => [node, service.metricsTls] as const);
  const skipped = metricsStageSkipped(written, Object.fromEntries(nodes));
  return skipped === undefined ? [] : [skipped];
}

/**
 * Throws where passwords, authorities or TLS would change by more than a stage at once. Settings with
 * a mistake are left to the program, which names them all.
 */
export function requireStages(stack: Stack, state: StackState): void {
  if (variable("FORCE") === "1") return;
  const written = settingsOf(stack.configFile);
  const { passwords, pki } = written;
  const raw = { passwords, pki };
  const settings = checkSettings({}, raw).problems.length > 0 ? undefined : parseSettings({}, raw);
  const found = [
    ...skippedTls(written, state),
    ...(settings ? skippedMetricsTls(settings.pki.metricsTls, state) : []),
    ...(settings ? leaps(settings, inForce(state)) : []),
  ];
  if (found.length === 0) return;
  throw new Error(
    [
      ...found,
      `nothing was changed; is this the newest ${path.basename(stack.configFile)}? TLS is switched by an update for each stage, make rotate changes the others in stages; FORCE=1 accepts that connections fail meanwhile`,
    ].join("\n"),
  );
}

/**
 * Brings the stack up: settles what an interrupted update left, then `pulumi up`. `target` is what
 * to run again with make where it was interrupted.
 */
export async function bringUp(stack: Stack, args: readonly string[], target = "up"): Promise<void> {
  requireConfigFile(stack);
  await bringImages(stack);
  const state = await readState(stack);
  if (state) {
    await breakStaleLocks(stack);
    requireStages(stack, state);
    await requireEngines(stack, await settle(stack, state));
  } else await initStack(stack);
  // Left by a removal that did not finish; guards would hold nothing back.
  rmSync(goingDownFile(stack.name), { force: true });
  // Policies judge the whole in a preview, before the first change.
  const preview = args.includes("--policy-pack") ? [] : ["--skip-preview"];
  try {
    await markedUpdate(stack, state, () =>
      runPulumi("up", stack, ["--yes", ...preview, "--suppress-outputs", ...args]),
    );
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    throw new Error(
      `holdfast: interrupted; what was done stays. Go on with: make ${target} STACK=${stack.reference}`,
    );
  }
}

async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  await bringUp(stack, [...policyArguments(stack), ...words(variable("ARGS") ?? "")]);
  // A settings file elsewhere is a test's; the selection belongs to the operator.
  if (!variable("HOLDFAST_CONFIG_FILE")) await selectStack(stack);
  const outputs = await readOutputs(stack);
  console.log(afterUp(stack.reference, outputs));
  const { url } = outputs;
  const problem = typeof url === "string" ? await urlProblem(url) : undefined;
  if (problem) console.log(`note: ${problem}`);
}

runIfProgram(import.meta.url, main);
