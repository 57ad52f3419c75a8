import { expect, it } from "vitest";
import { readPlan } from "../../../model/stack";
import { tiers } from "../../../tiers";
import { mustRun } from "../../faults/fault";
import type { DataStack } from "../../support/dataStack";
import { declared, differences, scanFrom, scanMachine } from "../../support/portScan";

const randomPorts = 200;

/** Each takes a process of Node.js to start. */
const machinesAtOnce = 5;

/** Ports on which a machine listens, on whatever address. */
const listening = "ss -Hltn | awk '{print $4}' | sed 's/.*://' | sort -un";

export function portScan(data: DataStack): void {
  const { stack } = data;

  it("has open between its machines what is declared, and nothing else", async () => {
    const plan = readPlan(tiers, stack.configured);
    const listened = new Map(
      await Promise.all(
        plan.machines.map(async ({ key, address }) => {
          const output = await mustRun(stack, key, listening);
          return [address, output.trim().split("\n").map(Number)] as const;
        }),
      ),
    );
    const random = Array.from(
      { length: randomPorts },
      () => 1 + Math.floor(Math.random() * 65_535),
    );
    const wrong: string[] = [];
    let tried = 0;
    const waiting = [...plan.machines];
    const scans = async () => {
      for (let from = waiting.pop(); from !== undefined; from = waiting.pop()) {
        const result = await scanMachine(plan, from, stack.container(from.key), (address) => [
          ...(listened.get(address) ?? []),
          ...random,
        ]);
        wrong.push(...result.wrong);
        tried += result.tried;
      }
    };
    // What is dropped is waited for: machines do that at the same time.
    await Promise.all(Array.from({ length: machinesAtOnce }, scans));
    data.figures.record("ports tried between machines", tried, "");
    expect(wrong).toEqual([]);
  });

  it("would find a port that is open and not declared", async () => {
    const plan = readPlan(tiers, stack.configured);
    const [web] = await data.nodesOf("webPool");
    const [app] = await data.nodesOf("appPool");
    const addressOf = (machine: string) =>
      plan.machines.find(({ key }) => key === machine)?.address ?? "";
    const [from, to] = [addressOf(web!.machine), addressOf(app!.machine)];
    const rule = "inet holdfast input tcp dport 2222 accept";
    await mustRun(stack, app!.machine, `nft insert rule ${rule}`);
    try {
      const seen = await scanFrom(stack.container(web!.machine), [
        { address: to, ports: [2222, 2223] },
      ]);
      expect(differences(seen[to]!, { ...declared(plan, from, to), open: [] })).toEqual([
        "2222: let through by the firewall, and not declared",
      ]);
    } finally {
      await mustRun(
        stack,
        app!.machine,
        "nft delete rule inet holdfast input handle $(nft -a list chain inet holdfast input | sed -n 's/.*dport 2222 accept # handle //p')",
      );
    }
  });
}
