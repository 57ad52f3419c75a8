import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  judge,
  refusal,
  type BalancerObservation,
  type NodeObservation,
  type Service,
} from "../model/gate";
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

function memberOf(spec: GateSpec, node: string): GateSpec["members"][number] {
  const member = spec.members.find((candidate) => candidate.node === node);
  if (!member) throw new Error(`gate of ${spec.node}: no member ${node}`);
  return member;
}

async function observe(
  spec: GateSpec,
  node: string,
): Promise<readonly [NodeObservation, readonly BalancerObservation[]]> {
  return Promise.all([
    observeNode(memberOf(spec, node), spec.service),
    Promise.all(spec.service.backends ? spec.balancers.map(observeBalancer) : []),
  ]);
}

/** Waits until the node is in service. Throws with the reason and its last log lines. */
export async function awaitInService(spec: GateSpec): Promise<void> {
  const deadline = Date.now() + spec.timeoutSeconds * 1000;
  let earlierRestarts: number | undefined;
  for (;;) {
    const [seen, balancers] = await observe(spec, spec.node);
    earlierRestarts ??= seen.container?.restarts;
    const verdict = judge(spec.service, since(seen, earlierRestarts ?? 0), balancers);
    if (verdict.kind === "in service") return;
    if (verdict.hopeless || Date.now() > deadline) {
      // The reason comes last: what shows only the end of a message must show it.
      throw new Error(
        [
          `last log lines of ${spec.node}:`,
          await lastLogLines(memberOf(spec, spec.node)),
          `${spec.node} did not come into service${verdict.hopeless ? "" : ` within ${spec.timeoutSeconds} s`}: ${verdict.reason}`,
          "the update stops here; the other nodes keep serving",
        ].join("\n"),
      );
    }
    await sleep(300);
  }
}

function since(seen: NodeObservation, earlierRestarts: number): NodeObservation {
  const { container } = seen;
  return container
    ? { ...seen, container: { ...container, restarts: container.restarts - earlierRestarts } }
    : seen;
}

/** Returns if the node may be stopped. Throws naming what to repair first. */
export async function guard(spec: GateSpec): Promise<void> {
  const stack = spec.members[0]?.machine.stack;
  if (stack && existsSync(goingDownFile(stack))) return;
  const deadline = Date.now() + guardPatienceSeconds * 1000;
  for (;;) {
    const reason = await reasonToStay(spec);
    if (!reason) return;
    if (Date.now() > deadline) throw new Error(reason);
    await sleep(500);
  }
}

async function reasonToStay(spec: GateSpec): Promise<string | undefined> {
  const verdicts = await Promise.all(
    spec.members.map(async ({ node }) => {
      const [seen, balancers] = await observe(spec, node);
      // A doubt must keep the node: it counts as serving while it looks well by itself, the others
      // only while their users have them in service.
      const users = node === spec.node ? [] : balancers;
      return {
        node,
        verdict: judge(spec.service, since(seen, seen.container?.restarts ?? 0), users),
      };
    }),
  );
  const own = verdicts.find(({ node }) => node === spec.node);
  const others = verdicts.filter(({ node }) => node !== spec.node);
  return (
    own &&
    refusal(spec.node, own.verdict, others, spec.required, memberOf(spec, spec.node).machine.stack)
  );
}
