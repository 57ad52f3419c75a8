import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { judge, refusal, type Service, type Verdict } from "../model/gate";
import { lastLogLines, observeBalancer, observeNode, type NodeTarget } from "./observe";
import { sshFolder } from "./ssh";

/** Everything a gate needs to know, as plain data from settings. */
export interface GateSpec {
  readonly node: string;
  readonly service: Service;
  /** Others that must stay in service while this node is out. */
  readonly required: number;
  /** Seconds until a new node must be in service. */
  readonly timeoutSeconds: number;
  /** Every node of the tier, this one included. */
  readonly members: readonly (NodeTarget & { readonly address: string })[];
  /** The load balancers, its users. */
  readonly balancers: readonly NodeTarget[];
}

/** Present while the whole stack is being taken down; guards then hold nothing back. */
export const goingDownFile = (stack: string) => path.join(sshFolder(stack), "going-down");

const guardPatienceSeconds = 10;

async function verdictOf(spec: GateSpec, node: string): Promise<Verdict> {
  const member = spec.members.find((candidate) => candidate.node === node);
  if (!member) throw new Error(`gate of ${spec.node}: no member ${node}`);
  const [seen, balancers] = await Promise.all([
    observeNode(member, spec.service),
    Promise.all(spec.service.backends ? spec.balancers.map(observeBalancer) : []),
  ]);
  return judge(spec.service, seen, balancers);
}

/** Waits until the node is in service. Throws with the reason and its last log lines. */
export async function awaitInService(spec: GateSpec): Promise<void> {
  const deadline = Date.now() + spec.timeoutSeconds * 1000;
  for (;;) {
    const verdict = await verdictOf(spec, spec.node);
    if (verdict.kind === "in service") return;
    if (verdict.hopeless || Date.now() > deadline) {
      const member = spec.members.find(({ node }) => node === spec.node);
      throw new Error(
        [
          `${spec.node} did not come into service${verdict.hopeless ? "" : ` within ${spec.timeoutSeconds} s`}: ${verdict.reason}`,
          `the update stops here; the other nodes keep serving. Last log lines of ${spec.node}:`,
          member ? await lastLogLines(member) : "(no log)",
        ].join("\n"),
      );
    }
    await sleep(300);
  }
}

/** Returns if the node may be stopped. Throws naming what to repair first. */
export async function guard(spec: GateSpec): Promise<void> {
  const stack = spec.members[0]?.machine.stack;
  if (stack && existsSync(goingDownFile(stack))) return;
  const deadline = Date.now() + guardPatienceSeconds * 1000;
  for (;;) {
    const verdicts = await Promise.all(
      spec.members.map(async ({ node }) => ({ node, verdict: await verdictOf(spec, node) })),
    );
    const own = verdicts.find(({ node }) => node === spec.node)?.verdict;
    const others = verdicts.filter(({ node }) => node !== spec.node);
    if (!own) return;
    const reason = refusal(spec.node, own, others, spec.required);
    if (!reason) return;
    if (Date.now() > deadline) throw new Error(reason);
    await sleep(500);
  }
}
