import { readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline/promises";
import { z } from "zod";
import {
  goalOf,
  nextStage,
  replacesAuthority,
  stagesTo,
  type Goal,
  type Rotating,
} from "../model/rotation";
import { placementOf, type Settings } from "../model/settings";
import type { TierDeclaration } from "../model/tier";
import { tiers } from "../tiers";
import { choice, runIfProgram, say, variable } from "./command";
import {
  policyArguments,
  readOutputs,
  readSettings,
  requireConfigFile,
  requireState,
  stackFromEnvironment,
  type Stack,
} from "./pulumi";
import { configOf, withConfig } from "./settingsFile";
import { bringUp } from "./up";

/**
 * Where the stack file records the rotation under way. Not under `holdfast:`: the program has no use
 * for it, and what it says must not change a resource.
 */
export const recordKey = "rotation:goal";

const generation = z.int().min(1);
const goalSchema = z.strictObject({
  passwords: generation,
  authority: generation,
  leaves: generation,
});

/** The goal of the rotation that a stack file says is under way. Throws where it cannot be read. */
export function recordedGoal(yaml: string): Goal | undefined {
  const found = configOf(yaml, recordKey);
  if (found === undefined) return undefined;
  const { success, data } = goalSchema.safeParse(found);
  if (success) return data;
  throw new Error(
    `${recordKey}: found ${JSON.stringify(found)}, allowed: passwords, authority and leaves with a whole number each, as make rotate writes it; without it a rotation begins anew`,
  );
}

/** Those of the values that differ from the ones before. */
function changed(before: object, after: object): Record<string, unknown> {
  const known = new Map<string, unknown>(Object.entries(before));
  return Object.fromEntries(
    Object.entries(after).filter(([key, value]) => known.get(key) !== value),
  );
}

/** The text of a stack file with the settings of the next stage and the record of its rotation. */
export function stageWritten(yaml: string, now: Rotating, next: Rotating, goal: Goal): string {
  return withConfig(yaml, {
    "holdfast:passwords": changed(now.passwords, next.passwords),
    "holdfast:pki": changed(now.pki, next.pki),
    [recordKey]: { ...goal },
  });
}

/** The tiers of which the stack has nodes. */
const tiersOf = (settings: Settings<typeof tiers>) =>
  Object.entries<TierDeclaration>(tiers).filter(([name]) => placementOf(settings, name).count > 0);

/** Whether clients outside verify the stack by its own authority. */
const clientsTrustStack = (settings: Settings<typeof tiers>): boolean =>
  tiersOf(settings).some(([name, tier]) =>
    tier.trustedOutside?.(settings[name as keyof typeof tiers]),
  );

/** What no rotation changes, each with its reason. */
export function whatStays(settings: Settings<typeof tiers>): string[] {
  return [
    ...tiersOf(settings).flatMap(([, { neverRotated }]) => neverRotated ?? []),
    ...(settings.machines.source === "lab"
      ? [
          "the lab's own: SSH keys, as a machine with another key is another machine, and its stores",
        ]
      : []),
  ];
}

/** Whether a variable given to make says the one word that it may. */
const said = (name: string, word: string) =>
  variable(name) !== undefined && choice(name, [word]) === word;

/** What is going to be done, for people. */
export function planText(
  stack: string,
  now: Rotating,
  goal: Goal,
  underWay: boolean,
  stays: readonly string[],
): string {
  const stages = stagesTo(now, goal);
  const left = stages.length === 1 ? "1 update is left" : `${stages.length} updates are left`;
  return [
    underWay
      ? `holdfast: the rotation of stack ${stack} goes on where it was interrupted: first the update that was under way, then ${left}`
      : `holdfast: rotation of stack ${stack} in ${stages.length} updates, after one that brings it to its settings as they are`,
    ...stages.map(({ changes }, index) => `  ${index + 1}. ${changes.join("; ")}`),
    ...(stays.length > 0 ? ["  these stay:", ...stays.map((each) => `  - ${each}`)] : []),
  ].join("\n");
}

/** Replaces a file, whole or not at all. */
function replaceFile(file: string, text: string): void {
  const real = realpathSync(file);
  writeFileSync(`${real}.new`, text, { mode: statSync(real).mode, flush: true });
  renameSync(`${real}.new`, real);
}

async function answered(): Promise<boolean> {
  // Not as a terminal: Ctrl-C would then be a key and no signal.
  const question = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: false,
  });
  try {
    return await Promise.race([
      question.question("press Enter when they have it: ").then(() => true),
      new Promise<boolean>((resolve) => question.once("close", () => resolve(false))),
    ]);
  } finally {
    question.close();
  }
}

/** Whether clients know the new authority: told beforehand, or by whoever is at the terminal. */
async function clientsReady(
  { reference, configFile }: Stack,
  confirmed: boolean,
): Promise<boolean> {
  if (confirmed) return true;
  say("with the next update the edge shows a certificate of the new authority");
  console.log(
    `  clients that trust the stack's authority need both until then: pulumi stack output caCertificate --stack ${reference}`,
  );
  if (process.stdin.isTTY && process.stdout.isTTY && (await answered())) return true;
  // Not finished: a pipeline must not take it for that.
  process.exitCode = 1;
  say(`the rotation waits for them, go on with: make rotate CONFIRM=clients STACK=${reference}`);
  console.log(`  ${path.basename(configFile)} has changed: commit it`);
  return false;
}

async function update(stack: Stack, refused: string): Promise<void> {
  try {
    await bringUp(stack, policyArguments(stack), "rotate");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\n${refused}`, { cause: error });
  }
}

/** What is in force at the end, for people. */
export function endText(
  stack: Stack,
  { passwords, pki }: Rotating,
  outputs: Readonly<Record<string, unknown>>,
): string {
  const { certificate, notAfter } = (outputs["certificateExpiry"] ?? {}) as {
    certificate?: string;
    notAfter?: string;
  };
  return [
    `holdfast: stack ${stack.reference} is rotated; in force are`,
    `  passwords of generation ${passwords.generation}, no others`,
    `  authority ${pki.generation}, ${pki.generation > 1 && pki.previous !== "dropped" ? `and authority ${pki.generation - 1}` : "no other"}`,
    `  keys and certificates of generation ${pki.leafGeneration}${certificate && notAfter ? `; the first to end is ${certificate}, on ${notAfter.slice(0, 10)}` : ""}`,
    ...(outputs["grafana"] === undefined
      ? []
      : [
          `Grafana's admin has a new password: pulumi stack output grafanaPassword --show-secrets --stack ${stack.reference}`,
        ]),
    `${path.basename(stack.configFile)} has changed: commit it; make up refuses an older one`,
  ].join("\n");
}

/**
 * Replaces every generated password, key and certificate. Each stage is written into the stack file
 * and then an ordinary update; the stack file says how far it is, so that whoever runs this again,
 * from whichever computer, goes on with the same rotation.
 */
async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  requireConfigFile(stack);
  await requireState(stack);
  const keepAuthority = said("KEEP", "authority");
  const confirmed = said("CONFIRM", "clients");
  const text = () => readFileSync(stack.configFile, "utf8");

  let settings = await readSettings(stack);
  const recorded = recordedGoal(text());
  const goal = recorded ?? goalOf(settings, keepAuthority);
  if (keepAuthority && replacesAuthority(settings, goal)) {
    throw new Error(
      "KEEP: found authority, allowed: nothing, because its replacement is under way; this goes on with it",
    );
  }
  const again = `the rotation is not finished; what is in force now holds until it goes on with: make rotate STACK=${stack.reference}`;
  console.log(
    planText(stack.reference, settings, goal, recorded !== undefined, whatStays(settings)),
  );
  // What is accepted and trusted now must be so everywhere before it can be relied upon.
  await update(stack, recorded ? again : "no password, key or certificate was changed");

  const total = stagesTo(settings, goal).length;
  for (let number = 1; number <= total; number++) {
    settings = await readSettings(stack);
    const stage = nextStage(settings, goal);
    if (!stage) break;
    if (stage.newSigner && clientsTrustStack(settings)) {
      if (!(await clientsReady(stack, confirmed))) return;
    }
    say(`update ${number} of ${total}: ${stage.changes.join("; ")}`);
    replaceFile(stack.configFile, stageWritten(text(), settings, stage.settings, goal));
    await update(stack, again);
    say(`update ${number} of ${total} is done`);
  }
  replaceFile(stack.configFile, withConfig(text(), { [recordKey]: undefined }));
  console.log(endText(stack, await readSettings(stack), await readOutputs(stack)));
}

runIfProgram(import.meta.url, main);
