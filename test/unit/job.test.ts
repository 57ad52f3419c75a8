import { beforeEach, describe, expect, it, vi } from "vitest";
import { awaitJob, jobState } from "../../operations/job";
import { ssh } from "../../operations/ssh";

vi.mock("../../operations/ssh", () => ({ ssh: vi.fn() }));

describe("a job's state", () => {
  it.each([
    [0, "running 0\n", "", { kind: "running" }],
    [0, "created 0\n", "", { kind: "running" }],
    [0, "exited 0\n", "", { kind: "exited", code: 0 }],
    [0, "exited 7\n", "", { kind: "exited", code: 7 }],
    [0, "dead 137\n", "", { kind: "exited", code: 137 }],
    [255, "", "no route to host\n", { kind: "unknown", reason: "no route to host" }],
    [1, "", "", { kind: "unknown", reason: "exit code 1" }],
  ])("is read from exit code %i and %j", (exitCode, stdout, stderr, state) => {
    expect(jobState(exitCode, stdout, stderr)).toEqual(state);
  });
});

describe("waiting for a job", () => {
  const machine = {
    stack: "test",
    machine: "vm-app-a",
    host: "10.78.0.31",
    port: 22,
    user: "root",
  };
  const job = { container: "app-migration", purpose: "the migrations", machine, timeoutSeconds: 5 };
  let states: string[];
  let commands: string[];

  beforeEach(() => {
    commands = [];
    vi.mocked(ssh).mockImplementation((_, command) => {
      commands.push(command.split(" ").slice(0, 2).join(" "));
      const answer = command.startsWith("docker inspect")
        ? states.length > 1
          ? states.shift()
          : states[0]
        : command.startsWith("docker logs")
          ? "0003_broken.sql: syntax error"
          : "";
      return Promise.resolve({ exitCode: 0, stdout: answer ?? "", stderr: "" });
    });
  });

  it("ends when the job has done its work", async () => {
    states = ["running 0", "exited 0"];
    await awaitJob(job);
    expect(commands).toEqual(["docker inspect", "docker inspect"]);
  });

  it("starts a job that failed before once more", async () => {
    states = ["exited 1", "running 0", "exited 0"];
    await awaitJob(job);
    expect(commands.filter((command) => command === "docker start")).toHaveLength(1);
  });

  it("fails with the job's last words when it fails again", async () => {
    states = ["exited 1", "running 0", "exited 1"];
    await expect(awaitJob(job)).rejects.toThrow(
      [
        "last log lines of app-migration:",
        "0003_broken.sql: syntax error",
        "the migrations failed with exit code 1; the update stops here, the nodes of the old version keep serving",
      ].join("\n"),
    );
  });

  it("does not wait for ever", async () => {
    states = ["running 0"];
    await expect(awaitJob({ ...job, timeoutSeconds: 0 })).rejects.toThrow(
      "the migrations did not end within 0 s",
    );
  });
});
