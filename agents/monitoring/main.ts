/*
 * First process of a monitoring node: runs Prometheus, Alertmanager and the prober, starts again
 * what ends, and ends them in order on SIGTERM.
 *   agent.js          run the node described in /etc/holdfast/agent.json
 *   agent.js status   print the node's state as JSON
 */
import { readFileSync } from "node:fs";
import type { MonitoringAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import { printStatus } from "../status";
import { Agent } from "./agent";
import { configFile } from "./paths";

async function main(command: string | undefined): Promise<void> {
  const view = JSON.parse(readFileSync(configFile, "utf8")) as MonitoringAgentView;
  if (command === "status") {
    await printStatus(view.node, view.agentPort);
  } else if (command !== undefined) {
    throw new Error(`found command ${command}, allowed: status`);
  } else {
    new Agent(view).run();
  }
}

main(process.argv[2]).catch((error: unknown) => {
  log("agent failed", { error: messageOf(error) });
  process.exit(1);
});
