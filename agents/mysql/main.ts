/*
 * First process of a MySQL node: makes its data folder, runs mysqld, decides about its membership
 * in the group, and on SIGTERM hands over and leaves in good order.
 *   agent.js             run the node described in /etc/holdfast/agent.json
 *   agent.js status      print the node's state as JSON
 *   agent.js bootstrap   ask for the first start of the group
 *   agent.js force       start the group with what this member has; what only others have is lost
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { MysqlAccounts, MysqlAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import { printStatus } from "../status";
import { Agent } from "./agent";
import * as paths from "./paths";

/** Milliseconds that a command waits for the member to be in its group. */
const patienceMs = 110_000;

const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));

/** What the running agent answers; a question unless `method` is POST. */
async function ask(port: number, path: string, method = "GET"): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    signal: AbortSignal.timeout(3000),
  });
  return (await response.json()) as Record<string, unknown>;
}

/** Asks the agent to start the group, and waits until the member is in it. */
async function request(command: "bootstrap" | "force", { agentPort }: MysqlAgentView) {
  await ask(agentPort, `/${command}`, "POST");
  const deadline = performance.now() + patienceMs;
  for (;;) {
    await sleep(500);
    const status = await ask(agentPort, "/status");
    const refused = command === "force" && status["forced"] === false;
    if (status["state"] === "ONLINE") {
      console.log(`${String(status["node"])} is ONLINE: ${String(status["reason"])}`);
      return;
    }
    if (refused || performance.now() > deadline) throw new Error(String(status["reason"]));
  }
}

async function main(command: string | undefined): Promise<void> {
  const config = read(paths.configFile) as MysqlAgentView;
  switch (command) {
    case undefined:
      await new Agent(config, read(paths.accountsFile) as MysqlAccounts).run();
      break;
    case "status":
      await printStatus(config.node, config.agentPort);
      break;
    case "bootstrap":
    case "force":
      await request(command, config);
      break;
    default:
      throw new Error(`found command ${command}, allowed: status, bootstrap, force`);
  }
}

const [, , command] = process.argv;
main(command).catch((error: unknown) => {
  if (command === undefined) log("agent failed", { error: messageOf(error) });
  else console.error(messageOf(error));
  process.exit(1);
});
