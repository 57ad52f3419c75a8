import { choice, runIfProgram, say, variable } from "./command";
import { requireState, stackFromEnvironment } from "./pulumi";
import { ssh } from "./ssh";
import { gateSpecs, machineOf } from "./stackState";

/** Database members among the deployed nodes, by the tier's key. */
const isMember = (node: string) => node.startsWith("mysql-");

/*
 * The operator's explicit choice after a disaster that the members must not decide by themselves:
 * which of them starts the group again. Whatever only others hold is lost.
 */
async function main(): Promise<void> {
  const stack = stackFromEnvironment();
  const members = gateSpecs(await requireState(stack)).filter(({ node }) => isMember(node));
  for (const spec of members) {
    const { stdout, stderr } = await ssh(
      machineOf(spec),
      `timeout 10 docker exec ${spec.node} status`,
    );
    say(`${spec.node}: ${stdout.trim() || stderr.trim() || "does not answer"}`);
  }
  const node = choice(
    "NODE",
    members.map((spec) => spec.node),
  );
  const chosen = members.find((spec) => spec.node === node);
  if (!chosen) return;
  if (variable("CONFIRM") !== node) {
    throw new Error(
      [
        `${node} would start the group with the data that it has; what only other members have is lost`,
        `nothing was changed; if that is what you want: make mysql-force NODE=${node} CONFIRM=${node} STACK=${stack.reference}`,
      ].join("\n"),
    );
  }
  const { exitCode, stdout, stderr } = await ssh(
    machineOf(chosen),
    `docker exec ${node} member force`,
    { timeoutSeconds: 120 },
  );
  if (exitCode !== 0) throw new Error(`${node}: ${stderr || stdout}`);
  say(`${node} starts the group; the other members join it by themselves`);
}

runIfProgram(import.meta.url, main);
