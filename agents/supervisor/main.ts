/*
 * First process of load balancer and web nodes: starts what the node runs, watches it, and on
 * SIGTERM takes the node out of service without a lost request.
 *   supervisor.js          run the node described in /etc/holdfast/supervisor.json
 *   supervisor.js status   print the node's state as JSON
 */
import { readFileSync } from "node:fs";
import type { SupervisorView } from "../../model/views";
import { printStatus } from "../status";
import { log } from "./io";
import { superviseLoadBalancer } from "./loadBalancer";
import { configFile } from "./paths";
import { superviseWeb, webStatus } from "./web";

async function post(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST" });
  const text = (await response.text()).trim();
  if (!response.ok) throw new Error(text);
  return text;
}

async function main(command: string | undefined): Promise<void> {
  const config = JSON.parse(readFileSync(configFile, "utf8")) as SupervisorView;
  if (command === "status") {
    if (config.role === "web") console.log(JSON.stringify(await webStatus(config)));
    else await printStatus(config.node, config.supervisorPort);
  } else if (command === "renew" && config.role === "load-balancer") {
    if (!config.acme) throw new Error("renew: holdfast:loadBalancer.certificate is not acme");
    console.log(await post(config.supervisorPort, "/renew"));
  } else if (command !== undefined) {
    const allowed = config.role === "web" ? "status" : "status, renew";
    throw new Error(`found command ${command}, allowed: ${allowed}`);
  } else if (config.role === "web") {
    superviseWeb(config);
  } else {
    await superviseLoadBalancer(config);
  }
}

main(process.argv[2]).catch((error: unknown) => {
  log("supervisor failed", { error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});
