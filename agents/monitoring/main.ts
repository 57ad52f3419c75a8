/*
 * First process of a monitoring node: runs Prometheus, Alertmanager and the prober, starts again
 * what ends, and ends them in order on SIGTERM.
 *   agent.js                   run the node described in /etc/holdfast/agent.json
 *   agent.js status            print the node's state as JSON
 *   agent.js query TIME EXPR   print what its own Prometheus answers at that time, as JSON
 */
import { readFileSync } from "node:fs";
import type { MonitoringAgentView } from "../../model/views";
import { log, messageOf } from "../io";
import { printStatus } from "../status";
import { Agent } from "./agent";
import { ask } from "./ask";
import { authorityFile, configFile } from "./paths";

/** How long Prometheus may take for an answer of a day. */
const patienceMs = 60_000;

async function printAnswer(
  { reader }: MonitoringAgentView,
  time: string,
  query: string,
): Promise<void> {
  const url = `${reader.monitors[0]}/api/v1/query?${new URLSearchParams({ time, query }).toString()}`;
  const { status, body } = await ask(url, readFileSync(authorityFile, "utf8"), patienceMs);
  if (status !== 200) throw new Error(`status ${status}: ${body}`);
  console.log(body);
}

async function main(command?: string, time?: string, query?: string): Promise<void> {
  const view = JSON.parse(readFileSync(configFile, "utf8")) as MonitoringAgentView;
  if (command === "status") {
    await printStatus(view.node, view.agentPort);
  } else if (command === "query" && time !== undefined && query !== undefined) {
    await printAnswer(view, time, query);
  } else if (command !== undefined) {
    throw new Error(`found command ${command}, allowed: status, query TIME EXPR`);
  } else {
    new Agent(view).run();
  }
}

main(...process.argv.slice(2)).catch((error: unknown) => {
  log("agent failed", { error: messageOf(error) });
  process.exit(1);
});
