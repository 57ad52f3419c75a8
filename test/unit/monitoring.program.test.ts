import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Program } from "../../agents/monitoring/program";
import { eventually } from "../support/measure";

const server = (port: number) =>
  `require("http").createServer((q, r) => { if (q.url === "/end") process.exit(3); r.end(); }).listen(${port}, "127.0.0.1")`;

async function freePort(): Promise<number> {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  await new Promise((resolve) => taken.close(resolve));
  return port;
}

describe("a program of a monitoring node", () => {
  let program: Program;
  let url: string;
  let ends: string[];
  const isReady = async () => {
    await program.probe();
    return program.ready;
  };

  beforeEach(async () => {
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    ends = [];
    const command = [process.execPath, "-e", server(port)];
    program = new Program({ name: "server", command, readyUrl: `${url}/-/ready` }, "", (name) =>
      ends.push(name),
    );
    program.start();
    await eventually("it is ready", 20, isReady);
  });

  afterEach(async () => {
    await program.stop();
    vi.restoreAllMocks();
  });

  it("is started again when it ends unasked", async () => {
    await fetch(`${url}/end`).catch(() => undefined);
    await eventually("its end is seen", 20, () => Promise.resolve(ends.length === 1));
    expect(ends).toEqual(["server"]);
    await eventually("it is ready again", 20, isReady);
  });

  it("ends when it is told to, and stays away", async () => {
    await program.stop();
    expect(await isReady()).toBe(false);
    expect(ends).toEqual([]);
    program.start();
    expect(await isReady()).toBe(false);
  });
});
