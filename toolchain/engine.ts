import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ask, findOnPath, run } from "./commands";
import { type Context } from "./context";
import { installPackages } from "./debian";
import { say, step } from "./progress";
import { keepVolumesInMemory, wishOf } from "./volumesInMemory";

const startMs = 60_000;

/** The version of the Docker engine that answers, or undefined. */
export function engineVersion(): Promise<string | undefined> {
  return ask("docker", ["version", "--format", "{{.Server.Version}}"]);
}

/** Makes a Docker engine answer: installs it, starts it. Returns its version. */
export async function ensureEngine(context: Context): Promise<string> {
  const running = findOnPath("docker") === undefined ? undefined : await engineVersion();
  if (running !== undefined) {
    return running;
  }
  await refuseIfForbidden();
  if (process.env.DOCKER_HOST !== undefined) {
    throw new Error(
      `the Docker engine at DOCKER_HOST=${process.env.DOCKER_HOST} does not answer; start it, or unset DOCKER_HOST for the one here`,
    );
  }
  if (findOnPath("dockerd") === undefined) {
    await installPackages(["docker.io"], "the Docker engine", context);
  }
  if (findOnPath("docker") === undefined) {
    // From Debian trixie on the client is a package of its own.
    await installPackages(["docker-cli"], "the Docker client", context);
  }
  if ((await engineVersion()) === undefined) {
    await startEngine(context);
  }
  const version = await engineVersion();
  if (version === undefined) {
    throw new Error("the Docker engine was started and does not answer `docker version`");
  }
  return version;
}

/** An engine that runs but lets this user not in is not to be installed again. */
async function refuseIfForbidden(): Promise<void> {
  if (findOnPath("docker") === undefined) {
    return;
  }
  try {
    await run("docker", ["version"], { timeout: 10_000 });
  } catch (error) {
    if (error instanceof Error && error.message.includes("permission denied")) {
      throw new Error(
        "the Docker engine runs, but this user may not use it; add the user to the group docker (sudo usermod -aG docker $USER) and log in again",
      );
    }
  }
}

async function startEngine(context: Context): Promise<void> {
  if (!context.isRoot) {
    throw new Error("the Docker engine does not run; start it (sudo systemctl start docker)");
  }
  if (existsSync("/run/systemd/system")) {
    await step("Docker engine: starting its service", () =>
      run("systemctl", ["start", "docker"], { hint: "see: journalctl -u docker -n 50" }),
    );
    return;
  }
  if (wishOf(process.env.HOLDFAST_ENGINE_VOLUMES) === "memory") {
    say(`Docker engine: ${await keepVolumesInMemory()}`);
  }
  await step("Docker engine: starting (no service manager here)", () => startDetached(context));
}

/** dockerd in a session of its own, so that it outlives this program and its terminal. */
async function startDetached(context: Context): Promise<void> {
  const { engineLog } = context.paths;
  mkdirSync(path.dirname(engineLog), { recursive: true });
  const log = openSync(engineLog, "a");
  const engine = spawn("dockerd", [], { detached: true, stdio: ["ignore", log, log] });
  // Whatever comes of it, this program does not wait for its end.
  engine.unref();
  closeSync(log);
  let ended: string | undefined;
  engine.on("error", (error) => (ended = error.message));
  engine.on("exit", (code, signal) => (ended = `it ended (${code ?? signal ?? "?"})`));
  const deadline = performance.now() + startMs;
  while ((await engineVersion()) === undefined) {
    if (ended !== undefined || performance.now() > deadline) {
      const lastLines = readFileSync(engineLog, "utf8").trimEnd().split("\n").slice(-10);
      throw new Error(
        `dockerd does not start: ${ended ?? `no answer in ${startMs / 1000} s`}; the last lines of ${engineLog}:\n${lastLines.join("\n")}`,
      );
    }
    await pause(500);
  }
}
