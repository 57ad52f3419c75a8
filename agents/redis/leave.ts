import { setTimeout as sleep } from "node:timers/promises";
import type { RedisAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import {
  handOver as next,
  handOverBegin,
  type HandOverAction,
  type HandOverSituation,
} from "./handOver";
import type { Link } from "./link";
import type { Members } from "./members";
import type { Program } from "./program";
import { agreedMaster, text, type Address } from "./topology";

/** The application's account, which is kept away from where it must not be. */
export const appUser = "app";

/** Makes a Redis follow a master, and sends the application's connections away from it. */
export async function follow(redis: Link, { host, port }: Address): Promise<void> {
  await redis.atOnce(["REPLICAOF", host, String(port)], ["CLIENT", "KILL", "USER", appUser]);
}

/** Hands the master's role over, if this node has it. Returns how that ended. */
export async function handOver(
  { address, port, masterName, drainSeconds, members: planned }: RedisAgentView,
  members: Members,
  redis: Program,
): Promise<string> {
  const self = { host: address, port };
  const link = members.own.redisLink;
  const begun = performance.now();
  let refusedAt = Number.POSITIVE_INFINITY;

  const look = (): HandOverSituation => {
    const own = redis.running ? members.ownRedis()?.value : undefined;
    const peers = members.peerRedis();
    const promoted = peers.find(({ seen }) => seen.value.role === "master");
    return {
      elapsedMs: performance.now() - begun,
      budgetMs: drainSeconds * 1000,
      self,
      role: own?.role,
      onlineReplicas: own?.replicas.filter(({ online }) => online).length ?? 0,
      peersAnswer: peers.length > 0,
      caughtUp: members.caughtUp(self, refusedAt),
      promoted: promoted?.address,
      agreed: agreedMaster(members.words(), planned.length),
    };
  };
  const perform = async (action: HandOverAction): Promise<string> => {
    switch (action.kind) {
      case "refuse writes":
        // More replicas than there can be: clients get the error NOREPLICAS.
        await link.ask("CONFIG", "SET", "min-replicas-to-write", 100);
        refusedAt = performance.now();
        return "refused";
      case "ask for failover":
        return members.askForFailover(masterName);
      case "demote":
        await follow(link, action.to);
        return `follows ${text(action.to)}`;
    }
  };

  members.watchClosely();
  let state = handOverBegin;
  for (;;) {
    const step = next(state, look());
    state = step.state;
    if (state.phase === "done") return state.outcome ?? "";
    for (const action of step.actions) {
      const result = await perform(action).catch((error: unknown) => `failed: ${messageOf(error)}`);
      log(`hand-over: ${action.kind}`, { result, ms: Math.round(performance.now() - begun) });
    }
    await sleep(20);
  }
}
