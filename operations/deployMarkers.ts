import os from "node:os";
import { execa } from "execa";
import {
  changedNodes,
  changeFile,
  markerFile,
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

/** Leaves a file of metrics on the machines. A machine that does not answer is told of, no more. */
async function leave(targets: readonly SshTarget[], file: string, text: string): Promise<void> {
  const at = `${metricsFolder}/${file}`;
  // Whole or not at all: the exporter may read it at any time.
  const script = `mkdir -p ${metricsFolder} && cat >${at}.new && mv ${at}.new ${at}`;
  await Promise.all(
    targets.map(async (target) => {
      const { exitCode, stderr } = await ssh(target, script, { input: text, timeoutSeconds: 10 });
      if (exitCode !== 0) {
        say(`machine ${target.machine} has no marker of this update: ${stderr.trim()}`);
      }
    }),
  );
}

/** Leaves the marker of an update or maintenance that begins, goes on, or has ended. */
export async function leaveMarker(state: StackState | undefined, marker: Marker): Promise<void> {
  await leave(readers(state), "deploy.prom", markerFile(marker));
}

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
  // The first update has made the machines that it is told to.
  const after = nodes.length > 0 ? await readState(stack) : before;
  const end = failed && nodes.length > 0 ? { stopped: seconds() } : { finished: seconds() };
  await leaveMarker(after, { started, ...end });
  if (nodes.length === 0 || readers(after).length === 0) return;
  const by = `${os.userInfo().username}@${os.hostname()}`;
  const change = { at: seconds(), version: await version(), by, nodes };
  await leave(readers(after), "deploy-change.prom", changeFile(change));
}

/**
 * Runs an update of the stack between its markers. Of one that fails with nodes changed
 * monitoring tells that it stopped half-way.
 */
export async function markedUpdate(
  stack: Stack,
  before: StackState | undefined,
  update: () => Promise<void>,
): Promise<void> {
  const started = seconds();
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
