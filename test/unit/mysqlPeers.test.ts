import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { Peers } from "../../agents/mysql/peers";
import type { MemberReport } from "../../agents/mysql/state";
import { json, listen } from "../../agents/server";
import type { TlsStage } from "../../model/tls";
import type { MysqlAgentView } from "../../model/views";
import { Authority } from "./support/certificates";

// Real sockets: slow where the computer is busy.
vi.setConfig({ testTimeout: 30_000 });

const address = "127.0.0.2";
const authority = new Authority();
const stranger = new Authority();
const right = authority.issue({ names: ["mysql-b"], addresses: [address] });
const open = new Set<Server>();

afterEach(() => {
  for (const server of open) server.close();
  open.clear();
});

afterAll(() => {
  authority.remove();
  stranger.remove();
});

const report: MemberReport = {
  node: "mysql-b",
  startedAt: 1,
  generation: 1,
  record: "blank",
  bootstrapRequested: false,
  stopping: false,
  accountsApplied: false,
  database: null,
};

/** What mysql-a hears of a peer at that stage, and over how many connections; it asks twice. */
async function heard(asking: TlsStage, answering: TlsStage, { certificate, key } = right) {
  const servers = listen({ address, port: 0, tls: answering }, () => ({ cert: certificate, key }), {
    "/state": () => json(200, report),
  });
  for (const server of servers) open.add(server);
  await Promise.all(servers.map((server) => once(server, "listening")));
  const [, others] = servers;
  let connections = 0;
  others?.on("connection", () => (connections += 1));
  const view: MysqlAgentView = {
    node: "mysql-a",
    address: "127.0.0.1",
    port: 3306,
    agentPort: (others?.address() as AddressInfo).port,
    tls: asking,
    groupName: "group",
    members: [
      { node: "mysql-a", address: "127.0.0.1" },
      { node: "mysql-b", address },
    ],
    maxApplyQueue: 0,
    drainSeconds: 1,
  };
  const peers = new Peers(view, authority.certificate);
  await peers.askAll();
  await peers.askAll();
  return { said: peers.latest()[0]?.report, connections };
}

describe("a member that asks another", () => {
  it.each<readonly [TlsStage, TlsStage]>([
    ["off", "off"],
    ["off", "prefer"],
    ["prefer", "off"],
    ["prefer", "prefer"],
    ["prefer", "require"],
    ["require", "prefer"],
    ["require", "require"],
  ])("hears it, itself at %s and the other at %s, over one connection", async (own, other) => {
    expect(await heard(own, other)).toEqual({ said: report, connections: 1 });
  });

  it("without TLS is not heard where that is required", async () => {
    expect((await heard("off", "require")).said).toBeUndefined();
  });

  it.each([
    ["for another address", authority.issue({ names: ["mysql-b"], addresses: ["127.0.0.3"] })],
    ["by another authority", stranger.issue({ names: ["mysql-b"], addresses: [address] })],
  ])("believes nobody whose certificate is %s", async (_, identity) => {
    expect((await heard("require", "require", identity)).said).toBeUndefined();
  });
});
