import os from "node:os";
import { execa } from "execa";
import {
  changedNodes,
  changeFile,
  markerFile,
  metricsFileFromInput,
  metricsFolder,
  type Marker,
} from "../model/deployMarkers";
import { projectRoot } from "../model/rendering";
import { say } from "./command";
import { engineEvents, readState, type Stack } from "./pulumi";
import { ssh, type SshTarget } from "./ssh";
import { gatesOfTier, machineOf, type StackState } from "./stackState";

const seconds = () => Math.floor(Date.now() / 1000);

/** Machines whose exporters tell the monitoring of updates: its own. */
function readers(state: StackState | undefined): readonly SshTarget[] {
  return state ? gatesOfTier(state, "monitoring").map(machineOf) : [];
}

const markerAt = `${metricsFolder}/deploy.prom`;
/** The marker before the one that is there; no file of metrics to the exporter. */
const markerBefore = `${markerAt}.before`;

/** Runs a script on the machines. One that does not answer is told of, no more. */
async function onAll(targets: readonly SshTarget[], script: string, input = ""): Promise<void> {
  await Promise.all(
    targets.map(async (target) => {
      const { exitCode, stderr } = await ssh(target, script, { input, timeoutSeconds: 10 });
      if (exitCode !== 0) {
        say(`machine ${target.machine} has no marker of this update: ${stderr.trim()}`);
      }
    }),
  );
}

/** Leaves the marker of an update or maintenance that begins, goes on, or has ended. */
export async function leaveMarker(state: StackState | undefined, marker: Marker): Promise<void> {
  await onAll(readers(state), metricsFileFromInput(markerAt), markerFile(marker));
}

/** Keeps the marker that is there, for an update that may come to nothing. */
const keepMarker = (targets: readonly SshTarget[]) =>
  onAll(targets, `rm -f ${markerBefore}; ! [ -e ${markerAt} ] || cp ${markerAt} ${markerBefore}`);

/** Puts the kept marker back: what it said still holds. */
const restoreMarker = (targets: readonly SshTarget[]) =>
  onAll(
    targets,
    `if [ -e ${markerBefore} ]; then mv ${markerBefore} ${markerAt}; else rm -f ${markerAt}; fi`,
  );

/** The commit that this program is, with a word where it was changed since. */
async function version(): Promise<string> {
  const { exitCode, stdout } = await execa("git", ["describe", "--always", "--dirty"], {
    cwd: projectRoot,
    reject: false,
  });
  return exitCode === 0 ? stdout.trim() : "unknown";
}

/** Leaves what is to be said when an update has ended. */
async function close(
  stack: Stack,
  before: StackState | undefined,
  started: number,
  failed: boolean,
): Promise<void> {
  const nodes = changedNodes(engineEvents(stack, "up"));
  if (failed && nodes.length === 0) return restoreMarker(readers(before));
  // The first update has made the machines that it is told to.
  const after = nodes.length > 0 ? await readState(stack) : before;
  await leaveMarker(after, { started, [failed ? "stopped" : "finished"]: seconds() });
  if (nodes.length === 0 || readers(after).length === 0) return;
  const by = `${os.userInfo().username}@${os.hostname()}`;
  const change = { at: seconds(), version: await version(), by, nodes };
  const changeAt = `${metricsFolder}/deploy-change.prom`;
  await onAll(readers(after), metricsFileFromInput(changeAt), changeFile(change));
}

/**
 * Runs an update of the stack between its markers. Of one that fails with nodes changed
 * monitoring tells that it stopped half-way; one that fails before that leaves things as they were.
 */
export async function markedUpdate(
  stack: Stack,
  before: StackState | undefined,
  update: () => Promise<void>,
): Promise<void> {
  const started = seconds();
  await keepMarker(readers(before));
  await leaveMarker(before, { started });
  let failed = true;
  try {
    await update();
    failed = false;
  } finally {
    // An update is none the worse without its marker.
    await close(stack, before, started, failed).catch((error: unknown) =>
      say(`the marker of this update is not complete: ${String(error)}`),
    );
  }
}
