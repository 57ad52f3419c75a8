import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  judge,
  mayWaitToForm,
  refusal,
  type BalancerObservation,
  type NodeObservation,
  type Service,
} from "../model/gate";
import {
  lastLogLines,
  observeBalancer,
  observeNode,
  type BalancerTarget,
  type NodeTarget,
} from "./observe";
import { ssh, sshFolder } from "./ssh";

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
  readonly balancers: readonly BalancerTarget[];
}

/** Present while the whole stack is being taken down; guards then hold nothing back. */
export const goingDownFile = (stack: string) => path.join(sshFolder(stack), "going-down");

const guardPatienceSeconds = 10;

/**
 * Waits before the next look, given when (performance.now()) this one began: twice as long as it
 * took. A look starts programs on machines that serve meanwhile, most of all where it takes long.
 */
const pause = (begun: number) =>
  sleep(Math.min(2000, Math.max(300, 2 * (performance.now() - begun))));

/** Where a member of the gate's tier is. */
export function memberOf(spec: GateSpec, node: string): GateSpec["members"][number] {
  const member = spec.members.find((candidate) => candidate.node === node);
  if (!member) throw new Error(`gate of ${spec.node}: no member ${node}`);
  return member;
}

/** What is seen of a member now: by itself, and by the load balancers where they matter. */
export async function observe(
  spec: GateSpec,
  node: string,
): Promise<readonly [NodeObservation, readonly BalancerObservation[]]> {
  return Promise.all([
    observeNode(memberOf(spec, node), spec.service),
    Promise.all(
      spec.service.backends || spec.service.oneOfBackends
        ? spec.balancers.map(observeBalancer)
        : [],
    ),
  ]);
}

const othersOf = (spec: GateSpec) =>
  spec.members.filter(({ node }) => node !== spec.node).map(({ node }) => node);

/** Waits until the node is in service. Throws with the reason and its last log lines. */
export async function awaitInService(spec: GateSpec): Promise<void> {
  const deadline = Date.now() + spec.timeoutSeconds * 1000;
  let earlierRestarts: number | undefined;
  for (;;) {
    const begun = performance.now();
    const [seen, balancers] = await observe(spec, spec.node);
    earlierRestarts ??= seen.container?.restarts;
    const verdict = judge(spec.service, since(seen, earlierRestarts ?? 0), balancers);
    if (verdict.kind === "in service") return;
    if (seen.forming) {
      const others = await Promise.all(othersOf(spec).map((node) => observe(spec, node)));
      if (
        mayWaitToForm(
          seen,
          others.map(([other]) => other),
        )
      )
        return;
    }
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
    await pause(begun);
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
    const begun = performance.now();
    const reason = await reasonToStay(spec);
    if (!reason) return;
    if (Date.now() > deadline) throw new Error(reason);
    await pause(begun);
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

/**
 * Starts a group for the first time and waits until every member is in service. Run once in a
 * stack's life, after the gates of all members; a group that is there already is left as it is.
 */
export async function form(spec: GateSpec): Promise<void> {
  const deadline = Date.now() + spec.timeoutSeconds * 1000;
  const members = spec.members.map(({ node }) => node);
  const first = await Promise.all(members.map((node) => observe(spec, node)));
  if (first.every(([seen]) => seen.forming)) {
    const { machine, node } = memberOf(spec, spec.node);
    const { exitCode, stdout, stderr } = await ssh(
      machine,
      `docker exec ${node} member bootstrap`,
      {
        timeoutSeconds: spec.timeoutSeconds,
      },
    );
    if (exitCode !== 0) throw new Error(`${node} did not start the group: ${stderr || stdout}`);
  }
  for (;;) {
    const begun = performance.now();
    const waiting = (
      await Promise.all(
        members.map(async (node) => {
          const verdict = judge(spec.service, ...(await observe(spec, node)));
          return verdict.kind === "in service" ? [] : [`${node}: ${verdict.reason}`];
        }),
      )
    ).flat();
    if (waiting.length === 0) return;
    if (Date.now() > deadline) {
      throw new Error(
        [
          `the group did not form within ${spec.timeoutSeconds} s`,
          ...waiting.map((line) => `  ${line}`),
          "the update stops here",
        ].join("\n"),
      );
    }
    await pause(begun);
  }
}
