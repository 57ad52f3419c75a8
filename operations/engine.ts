import { execa } from "execa";
import { ssh, type SshResult } from "./ssh";
import type { DockerObject, Engine, SeenObject } from "./stackState";

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs `docker` for an engine. Resolves with the exit code whatever it is; 255: not reached. */
export async function docker(
  engine: Engine,
  args: readonly string[],
  timeoutSeconds = 60,
): Promise<SshResult> {
  if (engine !== "local") {
    return ssh(engine, ["docker", ...args].map(quoted).join(" "), { timeoutSeconds });
  }
  const result = await execa("docker", [...args], {
    reject: false,
    timeout: timeoutSeconds * 1000,
    stdin: "ignore",
  });
  if (result.code === "ENOENT") throw new Error("docker is not installed; run `make doctor`");
  return {
    exitCode: result.exitCode ?? 255,
    stdout: result.stdout,
    stderr: result.timedOut ? `no answer within ${timeoutSeconds} s` : result.stderr,
  };
}

/** As docker(), but throws with what it printed where it fails. */
export async function mustDocker(
  engine: Engine,
  args: readonly string[],
  timeoutSeconds = 60,
): Promise<string> {
  const { exitCode, stdout, stderr } = await docker(engine, args, timeoutSeconds);
  if (exitCode === 0) return stdout;
  const at = engine === "local" ? "this computer" : engine.machine;
  throw new Error(
    `docker ${args.join(" ")} failed on ${at}: ${stderr.trim() || `exit code ${exitCode}`}`,
  );
}

/** The object as its engine has it, undefined where it does not exist. */
export async function look(object: DockerObject): Promise<SeenObject | "unknown" | undefined> {
  const id = object.kind === "volume" ? "{{.Name}}" : "{{.Id}}";
  const labels = object.kind === "container" ? ".Config.Labels" : ".Labels";
  const { exitCode, stdout, stderr } = await docker(object.engine, [
    object.kind,
    "inspect",
    "-f",
    `${id} {{with ${labels}}}{{index . "holdfast.stack"}}{{end}}`,
    object.name,
  ]);
  if (exitCode === 0) {
    const [seen = "", stack = ""] = stdout.trim().split(" ");
    return { id: seen, stack };
  }
  return /no such|not found/i.test(stderr) ? undefined : "unknown";
}

/** Removes an object by its name, running or not. */
export async function remove({ kind, name, engine }: DockerObject): Promise<void> {
  const force = kind === "container" ? ["--force", "--volumes"] : [];
  await mustDocker(engine, [kind, "rm", ...force, name]);
}

/** Names or ids of this computer's Docker objects with the label of that stack. */
export async function labelled(kind: DockerObject["kind"], stack: string): Promise<string[]> {
  const stdout = await mustDocker("local", [
    kind,
    "ls",
    ...(kind === "container" ? ["--all"] : []),
    "--quiet",
    "--filter",
    `label=holdfast.stack=${stack}`,
  ]);
  return stdout.split("\n").filter(Boolean);
}

/** Stacks of which this computer's engine has containers. */
export async function stacksOnEngine(): Promise<string[]> {
  const stdout = await mustDocker("local", [
    "container",
    "ls",
    "--all",
    "--filter",
    "label=holdfast.stack",
    "--format",
    '{{.Label "holdfast.stack"}}',
  ]);
  return [...new Set(stdout.split("\n").filter(Boolean))].sort();
}
