import { mustRun } from "../faults/fault";
import type { DataStack } from "./dataStack";
import type { Member } from "./members";

/** Passwords that the application presents. */
export interface AppPasswords {
  readonly mysql: string;
  readonly redis: string;
}

/** What is in the files of an application node. */
export async function passwordsOf({ stack }: DataStack, app: Member): Promise<AppPasswords> {
  const read = async (name: string) =>
    (
      await mustRun(stack, app.machine, `docker exec ${app.node} cat /run/secrets/${name}-password`)
    ).trim();
  return { mysql: await read("mysql"), redis: await read("redis") };
}

/** Nodes that let the application's account in with these passwords. */
export async function accepting(data: DataStack, passwords: AppPasswords): Promise<string[]> {
  const { machines } = await data.stack.outputs();
  const address = ({ machine }: Member) => machines[machine]?.address ?? "";
  const members = await data.nodesOf("mysqlCluster");
  const caches = await data.nodesOf("redisCache");
  const answers = await Promise.all([
    ...members.map(async (node) => {
      const client = `mysql --defaults-extra-file=/dev/stdin --host=${address(node)} --user=app --ssl-mode=REQUIRED --batch --execute="SELECT 'let in'"`;
      const input = `[client]\npassword=${passwords.mysql}\n`;
      return { node, output: await printed(data, node, client, input) };
    }),
    ...caches.map(async (node) => {
      const client = `redis-cli --tls --cacert /etc/holdfast/tls/ca.pem -h ${address(node)}`;
      const input = `AUTH app ${passwords.redis}\nPING\n`;
      return { node, output: await printed(data, node, client, input) };
    }),
  ]);
  return answers.filter(({ output }) => /let in|PONG/.test(output)).map(({ node }) => node.node);
}

/** What a client inside a node prints, whether it succeeds or not; secrets come by its input. */
async function printed({ stack }: DataStack, node: Member, client: string, input: string) {
  const { stdout } = await stack.on(node.machine, `docker exec -i ${node.node} ${client}`, {
    input,
  });
  return stdout;
}
