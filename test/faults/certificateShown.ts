import type { Member } from "../support/members";
import type { LiveStack } from "../support/liveStack";
import { mustRun, type Fault } from "./fault";

const file = "/etc/holdfast/tls/edge.pem";

/** Sends what comes in to HAProxy's runtime socket and prints the answer. */
const ask =
  'const net = require("net"); let text = ""; process.stdin.on("data", (part) => (text += part)).on("end", () => { const socket = net.connect("/run/haproxy/admin.sock", () => socket.write(text)); socket.pipe(process.stdout); });';

async function show(stack: LiveStack, { node, machine }: Member, pem: string): Promise<void> {
  const command = `docker exec -i ${node} node -e '${ask}'`;
  // An empty line ends the certificate.
  const lines = pem.split("\n").filter(Boolean).join("\n");
  const set = `set ssl cert ${file} <<\n${lines}\n\n`;
  const answers = [
    await mustRun(stack, machine, command, { input: set }),
    await mustRun(stack, machine, command, { input: `commit ssl cert ${file}\n` }),
  ].join("");
  if (!answers.includes("Success")) throw new Error(`${node} kept its certificate: ${answers}`);
}

/** The load balancers show clients another certificate, given with its key as one PEM. */
export function certificateShown(name: string, balancers: readonly Member[], pem: string): Fault {
  return {
    name,
    inject: async (stack) => {
      await Promise.all(balancers.map((balancer) => show(stack, balancer, pem)));
    },
    heal: async (stack) => {
      await Promise.all(
        balancers.map(async (balancer) => {
          const { node, machine } = balancer;
          const own = await mustRun(stack, machine, `docker exec ${node} cat ${file}`);
          await show(stack, balancer, own);
        }),
      );
    },
  };
}
