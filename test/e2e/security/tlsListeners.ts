import { rootCertificates } from "node:tls";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { connections } from "../../../model/connections";
import { readPlan } from "../../../model/stack";
import { tiers } from "../../../tiers";
import { mustRun } from "../../faults/fault";
import type { DataStack } from "../../support/dataStack";
import type { Member } from "../../support/members";
import { passwordsOf } from "../../support/passwords";

/**
 * Run by the Node.js of a node, or of this computer: connects to HOST:PORT in five ways and prints
 * which were refused. A refusal on either side counts: a client that verifies is one half of what
 * keeps others out. Without TLS every answer is `open` but a 400: with that nginx says that it wants
 * TLS.
 */
const program = `
const tls = require("node:tls"), net = require("node:net");
const [host, port] = process.argv.slice(2);
const ca = process.env.CA;
const secure = (options) => new Promise((resolve) => {
  const socket = tls.connect({ host, port: Number(port), ca, ...options });
  socket.setTimeout(4000, () => { socket.destroy(); resolve("silent"); });
  socket.on("secureConnect", () => { socket.destroy(); resolve("open"); });
  socket.on("error", () => resolve("refused"));
});
const answer = (text) => new Promise((resolve) => {
  const socket = net.connect({ host, port: Number(port) });
  let answer = "";
  socket.setTimeout(4000, () => socket.destroy());
  socket.on("connect", () => socket.write(text));
  socket.on("data", (data) => (answer += data));
  socket.on("error", () => undefined);
  socket.on("close", () => resolve(answer));
});
const plain = async () => {
  const request = await answer("GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n");
  const open = /^HTTP\\/1.[01] (?!400)/.test(request) || /^[+]PONG|^-NOAUTH/.test(await answer("PING\\r\\n"));
  return open ? "open" : "refused";
};
const attempts = {
  right: secure({}),
  "wrong authority": secure({ ca: process.env.OTHER_CA }),
  "wrong name": secure({ checkServerIdentity: (_, certificate) => tls.checkServerIdentity("wrong.example.com", certificate) }),
  "TLS 1.1": secure({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0", rejectUnauthorized: false }),
  "plain text": plain(),
};
(async () => {
  const seen = await Promise.all(Object.entries(attempts).map(async ([what, result]) => [what, await result]));
  console.log(JSON.stringify(Object.fromEntries(seen)));
})();
`;

const allRefused = {
  right: "open",
  "wrong authority": "refused",
  "wrong name": "refused",
  "TLS 1.1": "refused",
  "plain text": "refused",
};

/** Ports of web and application nodes, and of endpoint `app`, by default. */
export const ports = { plain: 8080, tls: 8443 } as const;

/** What a node sees at a port of another; `operator`: what this computer sees there. */
export async function seenBy(
  { stack }: DataStack,
  from: Member | "operator",
  host: string,
  port: number,
): Promise<Readonly<Record<string, string>>> {
  const { caCertificate: CA } = await stack.outputs();
  // Any certificate that signed nothing here.
  const OTHER_CA = rootCertificates[0] ?? "";
  const here = () =>
    execa(process.execPath, ["-", host, String(port)], { input: program, env: { CA, OTHER_CA } });
  const there = ({ node, machine }: Member) => {
    const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    const command = `docker exec -i -e CA=${quoted(CA)} -e OTHER_CA=${quoted(OTHER_CA)} ${node} node - ${host} ${port}`;
    return mustRun(stack, machine, command, { input: program });
  };
  const output = from === "operator" ? (await here()).stdout : await there(from);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as Record<string, string>;
}

export function tlsListeners(data: DataStack): void {
  const { stack } = data;
  const seen = (from: Member | "operator", host: string, port: number) =>
    seenBy(data, from, host, port);

  describe("a port that speaks TLS", () => {
    it("refuses plain text, TLS 1.1, and clients refuse a wrong authority and name: the edge", async () => {
      const [app] = await data.nodesOf("appPool");
      const { vip } = await stack.outputs();
      expect(await seen(app!, vip, 443)).toEqual(allRefused);
    });

    it.each(["webPool", "appPool"])(
      "so does each node of %s, whose plain port is closed",
      async (tier) => {
        const { machines } = await stack.outputs();
        const [balancer] = await data.nodesOf("loadBalancer");
        const nodes = await data.nodesOf(tier);
        await Promise.all(
          nodes.map(async ({ machine, node }) => {
            const host = machines[machine]?.address ?? "";
            expect(await seen(balancer!, host, ports.tls), node).toEqual(allRefused);
            expect(await seen(balancer!, host, ports.plain), node).toMatchObject({
              "plain text": "refused",
            });
          }),
        );
      },
    );

    it("so does the application's endpoint, whose plain port is closed", async () => {
      const { internalVip } = await stack.outputs();
      const [web] = await data.nodesOf("webPool");
      expect(await seen(web!, internalVip, ports.tls)).toEqual(allRefused);
      expect(await seen(web!, internalVip, ports.plain)).toMatchObject({
        "plain text": "refused",
      });
    });

    it.each([6379, 26379])("so does the cache: port %d", async (port) => {
      const { machines } = await stack.outputs();
      const [app] = await data.nodesOf("appPool");
      for (const { machine, node } of await data.nodesOf("redisCache")) {
        expect(await seen(app!, machines[machine]?.address ?? "", port), node).toEqual(allRefused);
      }
    });

    it("so does the database, in its own protocol", async () => {
      const { machines } = await stack.outputs();
      const members = await data.nodesOf("mysqlCluster");
      const [first] = members;
      const { mysql } = await passwordsOf(data, await data.application());
      const input = `[client]\npassword=${mysql}\n`;
      const attempt = async (host: string, ...options: readonly string[]) => {
        const words = [
          ...["mysql", "--defaults-extra-file=/dev/stdin", `--host=${host}`, "--user=app"],
          ...["--batch", ...options],
        ];
        const command = `docker exec -i ${first!.node} ${words.join(" ")} --execute="SELECT 'let in'"`;
        const { stdout, stderr } = await stack.on(first!.machine, command, { input });
        return `${stdout}${stderr}`;
      };
      for (const { machine } of members) {
        const host = machines[machine]?.address ?? "";
        // The client itself gives its password to nobody who could be overheard.
        expect(await attempt(host, "--ssl-mode=DISABLED")).toMatch(
          /insecure transport|3159|secure connection|2061/i,
        );
        expect(await attempt(host, "--ssl-mode=REQUIRED", "--tls-version=TLSv1.1")).toMatch(
          /TLS|SSL/,
        );
        const right = ["--ssl-mode=VERIFY_IDENTITY", "--ssl-ca=/etc/holdfast/tls/ca.pem"];
        expect(await attempt(host, ...right)).toContain("let in");
        expect(
          await attempt(host, "--ssl-mode=VERIFY_CA", "--ssl-ca=/etc/holdfast/tls/node.pem"),
        ).toMatch(/certificate verify failed|SSL connection error/);
      }
    });

    it("so does whatever else the plan says is reached with TLS alone, seen by who may", async () => {
      const plan = readPlan(tiers, stack.configured);
      const allowed = connections(plan);
      const every = Object.values(plan.tiers).flatMap(({ nodes }) => nodes);
      const tried: string[] = [];
      for (const { name: tier, nodes, listeners } of Object.values(plan.tiers)) {
        for (const { name, tls } of listeners.filter(({ tls: how }) => how?.required)) {
          for (const { key, machine } of nodes) {
            const who = allowed.find(
              ({ toNode, protocol, port }) =>
                toNode === key && protocol === "tcp" && port === tls?.port,
            );
            if (!who || !tls) continue;
            const from = every.find((node) => node.key === who.fromNode);
            const asking = from ? { node: from.key, machine: from.machine.key } : "operator";
            expect(await seen(asking, machine.address, tls.port), `${key}: ${name}`).toEqual(
              allRefused,
            );
            tried.push(`${tier} ${name}`);
          }
        }
      }
      expect([...new Set(tried)].sort()).toEqual([
        "appPool http",
        "backup agent",
        "loadBalancer status",
        "mysqlCluster agent",
        "redisCache agent",
        "webPool http",
      ]);
    });
  });
}
