/*
 * First process of the backup node, and the commands for it.
 *   agent.js           run the node described in /etc/holdfast/agent.json
 *   agent.js status    print the node's state as JSON
 *   agent.js full      take a full backup now
 *   agent.js restore   put a backup into this stack's database; what and when is read from the input
 */
import { readFileSync } from "node:fs";
import type { BackupAgentView, BackupSecrets } from "../../model/views";
import { log, messageOf } from "../io";
import { printStatus } from "../status";
import { Agent } from "./agent";
import { requestFull } from "./full";
import * as paths from "./paths";
import { restore } from "./restore";

async function main(command: string | undefined): Promise<void> {
  const view = JSON.parse(readFileSync(paths.configFile, "utf8")) as BackupAgentView;
  const secrets = () => JSON.parse(readFileSync(paths.secretsFile, "utf8")) as BackupSecrets;
  switch (command) {
    case undefined:
      await new Agent(view, secrets()).run();
      return;
    case "status":
      await printStatus(view.node, view.agentPort);
      return;
    case "full":
      await requestFull(view.agentPort);
      return;
    case "restore":
      await restore(view, secrets());
      return;
    default:
      throw new Error(`found command ${command}, allowed: status, full, restore`);
  }
}

main(process.argv[2]).catch((error: unknown) => {
  if (process.argv[2] === undefined) log("agent failed", { error: messageOf(error) });
  else console.error(messageOf(error));
  process.exit(1);
});
