import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { projectRoot } from "../../model/rendering";
import type { GateSpec } from "../../operations/gate";
import { beginEvents, endEvents } from "../../operations/pulumi";
import { lowest, yieldSession } from "../../operations/priority";
import { ssh, type SshResult, type SshTarget } from "../../operations/ssh";

/** Outputs of a stack, as `pulumi stack output --json` prints them. */
export interface StackOutputs {
  readonly url: string;
  readonly vip: string;
  readonly internalVip: string;
  readonly caCertificate: string;
  readonly nodes: Readonly<
    Record<
      string,
      Readonly<Record<string, { machine: string; address: string; container: string }>>
    >
  >;
  readonly machines: Readonly<Record<string, { address: string; login: string }>>;
  readonly endpoints: Readonly<Record<string, { address: string; port: number; protocol: string }>>;
}

/** One step of an update, in the order in which the engine took it. */
export interface Step {
  readonly op: string;
  /** Last part of the URN: `web-a-container`. */
  readonly name: string;
  readonly type: string;
  readonly failed: boolean;
}

/** What an update or preview did. */
export interface Run {
  readonly ok: boolean;
  readonly steps: readonly Step[];
  /** Number of resources by kind of change; `same` left out. */
  readonly changes: Readonly<Record<string, number>>;
  readonly output: string;
  readonly seconds: number;
}

interface StateResource {
  readonly urn: string;
  readonly inputs?: { readonly environment?: Readonly<Record<string, string>> };
}

type Settings = Readonly<Record<string, unknown>>;

/** A stack in the lab that tests may break. Settings are plain values under `holdfast:`. */
export class LiveStack {
  private readonly folder: string;
  private settings: Settings = {};

  constructor(
    readonly name: string,
    private readonly base: Settings,
  ) {
    this.folder = path.join(projectRoot, ".build", "stacks", name);
    mkdirSync(this.folder, { recursive: true });
    this.configure({});
  }

  private get eventsFile(): string {
    return path.join(this.folder, "events.json");
  }

  private get configFile(): string {
    return path.join(this.folder, `Pulumi.${this.name}.yaml`);
  }

  /** Settings from now on: the base with these on top, top-level key by top-level key. */
  configure(changes: Settings): void {
    this.settings = merge(this.base, changes);
    const salt = this.encryptionSalt();
    const config = Object.fromEntries(
      Object.entries(this.settings).map(([key, value]) => [`holdfast:${key}`, value]),
    );
    writeFileSync(this.configFile, stringify({ ...salt, config }));
  }

  /** What the settings file says under `holdfast:`. */
  get configured(): Readonly<Record<string, unknown>> {
    return this.settings;
  }

  private encryptionSalt(): object {
    try {
      const line = /^encryptionsalt: .*$/m.exec(readFileSync(this.configFile, "utf8"));
      return line ? { encryptionsalt: line[0].slice("encryptionsalt: ".length) } : {};
    } catch {
      return {};
    }
  }

  async init(): Promise<void> {
    await this.pulumi(["stack", "init", this.name, "--no-select"], false);
    // Its settings are in a file of their own; this one holds nothing but a salt.
    rmSync(path.join(projectRoot, `Pulumi.${this.name}.yaml`), { force: true });
  }

  /** Drops what is recorded of the stack: its machines are gone, with all that was on them. */
  async forget(): Promise<void> {
    await this.pulumi(["stack", "rm", this.name, "--force", "--yes"], false);
  }

  async up(args: readonly string[] = []): Promise<Run> {
    return this.run("up", ["--yes", "--skip-preview", ...args]);
  }

  /** An update that must succeed; throws with its output otherwise. */
  async mustUp(args: readonly string[] = []): Promise<Run> {
    const run = await this.up(args);
    if (!run.ok) throw new Error(`pulumi up failed:\n${run.output}`);
    return run;
  }

  async preview(args: readonly string[] = []): Promise<Run> {
    return this.run("preview", args);
  }

  async outputs(): Promise<StackOutputs> {
    const { stdout } = await this.pulumi(["stack", "output", "--json", "--stack", this.name]);
    return JSON.parse(stdout) as StackOutputs;
  }

  /** Runs one of the project's make targets for this stack. */
  async make(target: string, variables: Readonly<Record<string, string>> = {}): Promise<Run> {
    const started = Date.now();
    const result = await execa(
      "make",
      [
        "-s",
        target,
        `STACK=${this.name}`,
        ...Object.entries(variables).map(([key, value]) => `${key}=${value}`),
      ],
      {
        cwd: projectRoot,
        reject: false,
        all: true,
        env: { ...this.environment(), HOLDFAST_CONFIG_FILE: this.configFile },
      },
    );
    return {
      ok: result.exitCode === 0,
      steps: [],
      changes: {},
      output: result.all,
      seconds: (Date.now() - started) / 1000,
    };
  }

  /** One of the project's make targets as a process group of its own, for tests that interrupt it. */
  interruptible(target: string, variables: Readonly<Record<string, string>> = {}) {
    const given = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
    return execa("make", ["-s", target, `STACK=${this.name}`, ...given], {
      cwd: projectRoot,
      reject: false,
      all: true,
      // A terminal's Ctrl-C reaches the whole group.
      detached: true,
      env: { ...this.environment(), HOLDFAST_CONFIG_FILE: this.configFile },
    });
  }

  /** Runs a command on one of the lab's machines. `input` goes to its standard input. */
  async on(
    machine: string,
    command: string,
    options: { readonly timeoutSeconds?: number; readonly input?: string } = {},
  ): Promise<SshResult> {
    return ssh(this.target(machine), command, options);
  }

  target(machine: string): SshTarget {
    const at = this.addresses.get(machine);
    if (!at) throw new Error(`no machine ${machine} in stack ${this.name}`);
    return { stack: this.name, machine, host: at, port: 22, user: "root" };
  }

  private readonly addresses = new Map<string, string>();

  /** Learns the machines' addresses; call after an update that changed them. */
  async refreshMachines(): Promise<StackOutputs> {
    const outputs = await this.outputs();
    for (const [key, { address }] of Object.entries(outputs.machines)) {
      this.addresses.set(key, address);
    }
    return outputs;
  }

  /** The lab's container that is this machine, on this computer's engine. */
  container(machine: string): string {
    return `holdfast-${this.name}-${machine}`;
  }

  /** URN of the resource with this name. */
  async urn(name: string): Promise<string> {
    const found = (await this.resources()).find(({ urn }) => urn.endsWith(`::${name}`));
    if (!found) throw new Error(`no resource ${name} in stack ${this.name}`);
    return found.urn;
  }

  /** What the gate of a node knows, as recorded in the state. */
  async gateOf(node: string): Promise<GateSpec> {
    const gate = (await this.resources()).find(({ urn }) => urn.endsWith(`::${node}-gate`));
    const text = gate?.inputs?.environment?.["HOLDFAST_GATE"];
    if (!text) throw new Error(`no gate of ${node} in the state of stack ${this.name}`);
    return JSON.parse(text) as GateSpec;
  }

  /** The stack's state as text; with its secrets in plain text where `shown`. */
  async state(shown: "encrypted" | "in plain text"): Promise<string> {
    const secrets = shown === "encrypted" ? [] : ["--show-secrets"];
    const { stdout } = await this.pulumi(["stack", "export", "--stack", this.name, ...secrets]);
    return stdout;
  }

  /** The text of the stack's settings file, which some programs write, too. */
  settingsText(): string {
    return readFileSync(this.configFile, "utf8");
  }

  /** What the engine wrote about the last update or preview. */
  lastEvents(): string {
    return readFileSync(this.eventsFile, "utf8");
  }

  private async resources(): Promise<StateResource[]> {
    const state = JSON.parse(await this.state("encrypted")) as {
      deployment: { resources?: StateResource[] };
    };
    return state.deployment.resources ?? [];
  }

  /** Key of the load balancer that holds the virtual addresses. */
  async activeBalancer(): Promise<string> {
    const outputs = await this.outputs();
    for (const [node, { machine }] of Object.entries(outputs.nodes["loadBalancer"] ?? {})) {
      const { stdout } = await this.on(machine, `docker exec ${node} status`);
      if ((JSON.parse(stdout || "{}") as { vrrp?: string }).vrrp === "MASTER") return node;
    }
    throw new Error(`no load balancer of stack ${this.name} is MASTER`);
  }

  /** MAC addresses that answer for an address of the lab, asked from one of its machines. */
  async arpAnswerers(address: string, from: string): Promise<string[]> {
    const { stdout } = await this.on(from, `arping -b -c 2 -w 2 -I eth0 ${address}`);
    return [...new Set(stdout.match(/([0-9A-F]{2}:){5}[0-9A-F]{2}/gi) ?? [])];
  }

  private environment(): Record<string, string> {
    return { PULUMI_DEBUG_COMMANDS: "true" };
  }

  private async pulumi(args: readonly string[], mustSucceed = true) {
    return execa("pulumi", [...args, "--non-interactive"], {
      cwd: projectRoot,
      reject: mustSucceed,
      all: true,
      env: this.environment(),
    });
  }

  /** As `make up` runs it: the machines, which serve on this computer meanwhile, come first. */
  private async yieldingPulumi(args: readonly string[]) {
    const child = execa("nice", ["-n", String(lowest), "pulumi", ...args, "--non-interactive"], {
      cwd: projectRoot,
      reject: false,
      all: true,
      detached: true,
      env: this.environment(),
    });
    if (child.pid !== undefined) yieldSession(child.pid);
    return child;
  }

  private async run(command: "up" | "preview", args: readonly string[]): Promise<Run> {
    const events = this.eventsFile;
    beginEvents(events);
    const started = Date.now();
    const result = await this.yieldingPulumi([
      command,
      "--stack",
      this.name,
      "--config-file",
      this.configFile,
      "--event-log",
      events,
      ...args,
    ]);
    endEvents(events);
    const { steps, changes } = readEvents(events);
    return {
      ok: result.exitCode === 0,
      steps,
      changes,
      output: result.all,
      seconds: (Date.now() - started) / 1000,
    };
  }
}

function merge(base: Settings, changes: Settings): Settings {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const before = merged[key];
    merged[key] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface EngineEvent {
  resourcePreEvent?: { metadata: { op: string; urn: string; type: string } };
  resOutputsEvent?: { metadata: { op: string; urn: string; type: string } };
  resOpFailedEvent?: { metadata: { op: string; urn: string; type: string } };
  summaryEvent?: { resourceChanges?: Record<string, number> };
}

/** The steps that were finished or failed, in order, and the summary, from the engine's event log. */
function readEvents(file: string): { steps: Step[]; changes: Record<string, number> } {
  const steps: Step[] = [];
  let changes: Record<string, number> = {};
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return { steps, changes };
  }
  for (const line of text.split("\n").filter(Boolean)) {
    const event = JSON.parse(line) as EngineEvent;
    const done = event.resOutputsEvent ?? event.resOpFailedEvent;
    if (done && done.metadata.op !== "same" && done.metadata.op !== "read") {
      steps.push({
        op: done.metadata.op,
        name: done.metadata.urn.split("::").pop() ?? "",
        type: done.metadata.type,
        failed: event.resOpFailedEvent !== undefined,
      });
    }
    if (event.summaryEvent) {
      changes = Object.fromEntries(
        Object.entries(event.summaryEvent.resourceChanges ?? {}).filter(
          ([kind]) => kind !== "same",
        ),
      );
    }
  }
  return { steps, changes };
}
