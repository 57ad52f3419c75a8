import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sshFolder } from "../../operations/ssh";
import { LiveStack } from "../support/liveStack";

const stack = new LiveStack("lifecycle", {
  machines: { network: "10.82.0.0/24" },
  webPool: { count: 1 },
  appPool: { count: 1 },
  loadBalancer: { count: 1 },
});

const leftOver = async (kind: "container" | "network" | "volume") => {
  const all = kind === "container" ? ["--all"] : [];
  const filter = ["--filter", `label=holdfast.stack=${stack.name}`];
  const { stdout } = await execa("docker", [kind, "ls", "--quiet", ...all, ...filter]);
  return stdout;
};

describe("a stack's life", () => {
  beforeAll(async () => {
    await stack.make("down");
    await stack.init();
  });

  afterAll(async () => {
    await stack.make("down");
  });

  it("converges when an update is interrupted half-way and started again", async () => {
    const first = stack.interruptible("up");
    await sleep(12_000);
    process.kill(-(first.pid ?? 0), "SIGINT");
    const interrupted = await first;
    expect(interrupted.exitCode).not.toBe(0);
    const again = await stack.make("up");
    expect(again.ok, again.output).toBe(true);
    const outputs = await stack.refreshMachines();
    const { stdout } = await execa("curl", ["-fsS", "-m", "5", `${outputs.url}/ping`]);
    expect(stdout).toContain("pong");
    const settled = await stack.mustUp();
    expect(settled.changes, settled.output).toEqual({});
  });

  it("names every mistake in the settings at once and changes nothing", async () => {
    stack.configure({ webPool: { count: 0, prot: 80 }, machines: { network: "nowhere" } });
    const run = await stack.up();
    expect(run.ok).toBe(false);
    expect(run.output).toContain("holdfast:webPool.count: found 0");
    expect(run.output).toContain("holdfast:webPool.prot");
    expect(run.output).toContain("holdfast:machines.network");
    expect(run.steps.filter(({ type }) => type !== "pulumi:pulumi:Stack")).toEqual([]);
    stack.configure({});
  });

  it("leaves nothing behind when it is taken down", async () => {
    const down = await stack.make("down");
    expect(down.ok, down.output).toBe(true);
    for (const kind of ["container", "network", "volume"] as const) {
      expect(await leftOver(kind), kind).toBe("");
    }
    expect(existsSync(sshFolder(stack.name))).toBe(false);
    const { stdout } = await execa("pulumi", ["stack", "ls", "--json"]);
    expect(stdout).not.toContain(`"${stack.name}"`);
    const { stdout: processes } = await execa("ps", ["-eo", "args"]);
    expect(processes).not.toContain(`holdfast/ssh/${stack.name}/`);
  });
});
