/*
 * First process of a Redis node: starts Redis and Sentinel, keeps them in line with the other
 * members, and hands the master's role over before the node stops.
 *   agent.js          run the node described in /etc/holdfast/agent.json
 *   agent.js status   print the node's state as JSON
 */
import { readFileSync } from "node:fs";
import type { RedisAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import { printStatus } from "../status";
import { Agent } from "./agent";
import type { MemberAccounts } from "./passwords";
import * as paths from "./paths";

async function main(command: string | undefined): Promise<void> {
  const view = JSON.parse(readFileSync(paths.configFile, "utf8")) as RedisAgentView;
  if (command === "status") {
    await printStatus(view.node, view.agentPort);
  } else if (command !== undefined) {
    throw new Error(`found command ${command}, allowed: status`);
  } else {
    const accounts = JSON.parse(readFileSync(paths.accountsFile, "utf8")) as MemberAccounts;
    await new Agent({ view, accounts, ca: readFileSync(paths.caFile, "utf8") }).run();
  }
}

main(process.argv[2]).catch((error: unknown) => {
  log("agent failed", { error: messageOf(error) });
  process.exit(1);
});
