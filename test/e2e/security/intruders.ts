import { randomBytes } from "node:crypto";
import net from "node:net";
import { execa } from "execa";
import { expect, it } from "vitest";
import { mustRun } from "../../faults/fault";
import type { DataStack } from "../../support/dataStack";
import { ports } from "./tlsListeners";
import { rawRequests, sendRaw, statusesIn } from "../../support/rawRequests";

/**
 * Run in a node as a user of its service: every folder of the image in which it can make a file, and
 * every file that it can open for writing. Volumes and what is in memory are other file systems.
 */
const tryToWrite = [
  "root=$(stat -c %d /)",
  "find / -xdev -type d 2>/dev/null | while read -r folder; do",
  // Where something is mounted, `find` stops at its folder and still names it.
  '  [ "$(stat -c %d "$folder")" = "$root" ] || continue',
  '  if (: >"$folder/.holdfast-probe") 2>/dev/null; then echo "$folder/"; rm -f "$folder/.holdfast-probe"; fi',
  "done",
  // `: >>` opens without changing anything.
  'find / -xdev -type f 2>/dev/null | while read -r file; do if (: >>"$file") 2>/dev/null; then echo "$file"; fi; done',
].join("\n");

const usersOfService =
  "for p in /proc/[0-9]*; do stat -c %u $p 2>/dev/null; done | sort -un | grep -vx 0 || true";

/** Prints the processes that a load balancer must not lose. */
const balancing =
  'for p in /proc/[0-9]*; do n=$(cat $p/comm 2>/dev/null); case $n in haproxy | keepalived) echo "$n $p" ;; esac; done';

/** What came of an attempt to connect: `open` only where somebody answered. */
function attempt(host: string, port: number): Promise<"open" | "closed"> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 500 });
    const done = (result: "open" | "closed") => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => done("open"));
    socket.once("timeout", () => done("closed"));
    socket.once("error", () => done("closed"));
  });
}

export function intruders(data: DataStack): void {
  const { stack } = data;

  /** Logs of every node of a tier, together. */
  async function logsOf(tier: string): Promise<string> {
    const nodes = await data.nodesOf(tier);
    const logs = await Promise.all(
      nodes.map(({ node, machine }) => mustRun(stack, machine, `docker logs ${node} 2>&1`)),
    );
    return logs.join("\n");
  }

  it("lets no malformed or ambiguous request through, and its load balancers stay up", async () => {
    const { vip } = await stack.outputs();
    const balancers = await data.nodesOf("loadBalancer");
    const processes = () =>
      Promise.all(
        balancers.map(({ node, machine }) =>
          mustRun(stack, machine, `docker exec -i ${node} sh -s`, { input: balancing }),
        ),
      );
    const before = await processes();
    const run = randomBytes(6).toString("hex");
    for (const [index, { what, bytes, firstIsGood }] of rawRequests.entries()) {
      const statuses = statusesIn(await sendRaw(vip, 80, bytes(`intruder-${run}-${index}`)));
      expect(statuses.length, `${what}: ${statuses.join()}`).toBeLessThanOrEqual(1);
      if (!firstIsGood) {
        expect(
          statuses.filter((status) => status < 400),
          what,
        ).toEqual([]);
      }
    }
    const control = `intruder-${run}-control`;
    await sendRaw(vip, 80, `GET /${control} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    // Logs are written once a second.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const log = await logsOf("webPool");
    expect(log).toContain(control);
    const reached = rawRequests.filter((_, index) => log.includes(`intruder-${run}-${index}"`));
    expect(reached.map(({ what }) => what)).toEqual([]);
    expect(await processes()).toEqual(before);
  });

  it("lets no service write outside its volumes and what is in memory", async () => {
    const { nodes } = await stack.outputs();
    const found: Record<string, string[]> = {};
    for (const [node, { machine }] of Object.values(nodes).flatMap((tier) =>
      Object.entries(tier),
    )) {
      const users = await mustRun(stack, machine, `docker exec ${node} sh -c '${usersOfService}'`);
      expect(users.trim(), node).not.toBe("");
      for (const user of users.trim().split("\n")) {
        const output = await mustRun(
          stack,
          machine,
          `docker exec -i --user ${user} ${node} sh -s`,
          {
            input: tryToWrite,
            timeoutSeconds: 300,
          },
        );
        const writable = output.split("\n").filter(Boolean);
        if (writable.length > 0) found[`${node} as ${user}`] = writable;
      }
    }
    expect(found).toEqual({});
  });

  it("is closed on a machine that starts before the first container listens", async () => {
    const [app] = await data.nodesOf("appPool");
    const { machines } = await stack.outputs();
    const address = machines[app!.machine]?.address ?? "";
    const attempts: Promise<"open" | "closed">[] = [];
    const until = new AbortController();
    // This computer is no web node and no load balancer: the application's port is closed to it.
    const knocking = (async () => {
      while (!until.signal.aborted) {
        // What is dropped is silent: none waits for the one before.
        attempts.push(attempt(address, ports.tls));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    try {
      await execa("docker", ["restart", stack.container(app!.machine)]);
      await data.inService(app!.node);
    } finally {
      until.abort();
      await knocking;
    }
    expect(attempts.length).toBeGreaterThan(20);
    expect((await Promise.all(attempts)).filter((result) => result === "open")).toEqual([]);
  });
}
