import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { isHost } from "../../model/addresses";
import { SettingsError, parseSettings } from "../../model/settings";
import { planStack, readPlan } from "../../model/stack";
import { placement, type TierDeclaration } from "../../model/tier";
import { tiers } from "../../tiers";
import { inventory, validSettings } from "./support/settings";

const plan = (raw: Record<string, unknown> = {}) => readPlan(tiers, raw);

type Section = Record<string, unknown>;

/** The right inventory with some of its sections' keys changed. */
function changed(changes: Record<string, Section>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(inventory).map(([name, section]) => [name, { ...section, ...changes[name] }]),
  );
}

function machine(key: string, change: Section): Section {
  const { list } = inventory.machines;
  return { list: { ...list, [key]: { ...list[key], ...change } } };
}

function mistakes(raw: Record<string, unknown>, declared: typeof tiers = tiers): string[] {
  try {
    readPlan(declared, raw);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems.map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);
  }
}

describe("the plan of the lab", () => {
  it("gives each node a machine of its own, with the address of its place", () => {
    const nodes = Object.values(plan().tiers).flatMap((tier) => tier.nodes);
    expect(nodes.map(({ key, machine: { key: on, address } }) => [key, on, address])).toEqual([
      ["lb-a", "vm-lb-a", "10.77.0.11"],
      ["lb-b", "vm-lb-b", "10.77.0.12"],
      ["app-a", "vm-app-a", "10.77.0.31"],
      ["app-b", "vm-app-b", "10.77.0.32"],
      ["web-a", "vm-web-a", "10.77.0.21"],
      ["web-b", "vm-web-b", "10.77.0.22"],
    ]);
  });

  it("has virtual addresses and the endpoints behind them", () => {
    const { vips, endpoints, backends } = plan();
    expect(vips).toEqual({ edge: "10.77.0.5", internal: "10.77.0.6" });
    expect(endpoints).toEqual([
      { name: "app", address: "10.77.0.6", port: 8443, protocol: "https", serverName: "app" },
      { name: "web", address: "10.77.0.5", port: 80, protocol: "http" },
    ]);
    expect(
      backends.map(({ endpoint, address, tls, servers }) => ({ endpoint, address, tls, servers })),
    ).toEqual([
      {
        endpoint: "app",
        address: "10.77.0.6",
        tls: "require",
        servers: [
          { name: "app-a", address: "10.77.0.31", port: 8080, tlsPort: 8443 },
          { name: "app-b", address: "10.77.0.32", port: 8080, tlsPort: 8443 },
        ],
      },
      {
        endpoint: "web",
        address: "10.77.0.5",
        tls: "require",
        servers: [
          { name: "web-a", address: "10.77.0.21", port: 8080, tlsPort: 8443 },
          { name: "web-b", address: "10.77.0.22", port: 8080, tlsPort: 8443 },
        ],
      },
    ]);
  });

  it("does without load balancers: endpoints are then the nodes themselves", () => {
    const { vips, endpoints } = plan({
      loadBalancer: { count: 0 },
      webPool: { count: 1 },
      appPool: { count: 1 },
    });
    expect(vips).toBeUndefined();
    expect(endpoints).toEqual([
      { name: "app", address: "10.77.0.31", port: 8443, protocol: "https", serverName: "app-a" },
      { name: "web", address: "10.77.0.21", port: 8080, protocol: "http" },
    ]);
  });

  it("puts everything on one machine", () => {
    const { machines, endpoints } = plan({
      machines: { list: { box: {} } },
      loadBalancer: { count: 0 },
      webPool: { count: 1, machines: ["box"], port: 80 },
      appPool: { count: 1, machines: ["box"] },
    });
    expect(machines.map(({ key, address }) => [key, address])).toEqual([["box", "10.77.0.101"]]);
    expect(endpoints.map(({ address, port }) => `${address}:${port}`)).toEqual([
      "10.77.0.101:8443",
      "10.77.0.101:80",
    ]);
  });

  it("gives listed machines the next address that no other one asks for", () => {
    const { machines } = plan({
      machines: { list: { one: {}, two: { address: "10.77.0.102" }, three: {} } },
    });
    expect(machines.slice(0, 3).map(({ key, address }) => [key, address])).toEqual([
      ["one", "10.77.0.101"],
      ["two", "10.77.0.102"],
      ["three", "10.77.0.103"],
    ]);
  });

  it("knows a node's machine by its name, whichever tier it carries", () => {
    const { machines } = plan({
      appPool: { count: 1, machines: ["vm-web-b"], port: 9000, tlsPort: 9443 },
      webPool: { count: 2 },
    });
    expect(machines.find(({ key }) => key === "vm-web-b")?.address).toBe("10.77.0.22");
    expect(machines).toHaveLength(4);
  });

  it("moves with its network", () => {
    const { machines, vips } = plan({ machines: { network: "172.20.4.0/22" } });
    expect(machines[0]?.address).toBe("172.20.4.11");
    expect(vips?.edge).toBe("172.20.4.5");
  });
});

describe("the plan of an inventory", () => {
  it("uses the machines as they are told", () => {
    const { machines, vips } = plan(
      changed({
        machines: machine("n1", {
          sshHost: "n1.example.com",
          sshPort: 2222,
          interface: "ens3",
          failureDomain: "rack-1",
        }),
      }),
    );
    expect(machines[0]).toEqual({
      key: "n1",
      address: "192.0.2.11",
      ssh: { host: "n1.example.com", port: 2222, user: "root" },
      hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Q2Zr1",
      interface: "ens3",
      failureDomain: "rack-1",
    });
    expect(vips).toEqual({ edge: "192.0.2.5", internal: "192.0.2.6" });
  });

  it("tells everything that is missing at once", () => {
    expect(mistakes({ machines: { source: "inventory", network: "192.0.2.0/24" } })).toEqual([
      "holdfast:machines.list: nothing | at least one machine in an inventory",
      "holdfast:machines.privateKey: nothing | a private SSH key that the machines accept, set with pulumi config set --secret --path",
      "holdfast:registry.address: nothing | an image registry that the machines reach",
      "holdfast:loadBalancer.machines: nothing | 2 keys of holdfast:machines.list",
      "holdfast:loadBalancer.edgeVip: nothing | a free address in holdfast:machines.network (192.0.2.0/24)",
      "holdfast:loadBalancer.internalVip: nothing | a free address in holdfast:machines.network (192.0.2.0/24)",
      "holdfast:appPool.machines: nothing | 2 keys of holdfast:machines.list",
      "holdfast:webPool.machines: nothing | 2 keys of holdfast:machines.list",
    ]);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    [
      "a machine without address and host key",
      changed({ machines: machine("n7", {}) }),
      [
        "holdfast:machines.list.n7.address: nothing | an IPv4 address such as 10.77.0.21",
        "holdfast:machines.list.n7.hostKey: nothing | the machine's public SSH host key, as ssh-keyscan prints it",
      ],
    ],
    [
      "a registry's user without password",
      changed({ registry: { password: undefined } }),
      ["holdfast:registry.password: nothing | text, because holdfast:registry.username is set"],
    ],
    [
      "a registry's password without user",
      changed({ registry: { username: undefined } }),
      ["holdfast:registry.username: nothing | text, because holdfast:registry.password is set"],
    ],
    [
      "two machines with one address",
      changed({ machines: machine("n4", { address: "192.0.2.13" }) }),
      ["holdfast:machines.list.n4.address: 192.0.2.13 | an address of its own; machine n3 has it"],
    ],
    [
      "two machines with one SSH server",
      changed({ machines: machine("n4", { sshHost: "192.0.2.13" }) }),
      [
        "holdfast:machines.list.n4.sshHost: 192.0.2.13 port 22 | an SSH server of its own; machine n3 has it",
      ],
    ],
    [
      "an address outside the network",
      changed({ machines: machine("n4", { address: "192.0.3.14" }) }),
      [
        "holdfast:machines.list.n4.address: 192.0.3.14 | an address of a host in holdfast:machines.network (192.0.2.0/24)",
      ],
    ],
    [
      "the network's broadcast address",
      changed({ machines: machine("n4", { address: "192.0.2.255" }) }),
      [
        "holdfast:machines.list.n4.address: 192.0.2.255 | an address of a host in holdfast:machines.network (192.0.2.0/24)",
      ],
    ],
    [
      "a virtual address that a machine has",
      changed({ loadBalancer: { edgeVip: "192.0.2.15" } }),
      [
        "holdfast:loadBalancer.edgeVip: 192.0.2.15 | an address that nothing else has; machine n5 has it",
      ],
    ],
    [
      "a virtual address outside the network",
      changed({ loadBalancer: { internalVip: "198.51.100.6" } }),
      [
        "holdfast:loadBalancer.internalVip: 198.51.100.6 | an address of a host in holdfast:machines.network (192.0.2.0/24)",
      ],
    ],
    [
      "one virtual address for both",
      changed({ loadBalancer: { internalVip: "192.0.2.5" } }),
      [
        "holdfast:loadBalancer.internalVip: 192.0.2.5 | an address other than holdfast:loadBalancer.edgeVip",
      ],
    ],
    [
      "fewer machines than nodes",
      changed({ webPool: { count: 3 } }),
      ["holdfast:webPool.machines: 2 (n5, n6) | at least 3, one for each node"],
    ],
    [
      "two nodes of a tier on one machine",
      changed({ webPool: { machines: ["n5", "n5"] } }),
      [
        'holdfast:webPool.machines: "n5" twice | each machine once: two nodes of a tier on one machine fail together',
        "holdfast:webPool.port: tcp port 8080 on machine n5 | a port that nothing else uses there; listener http of web-a does",
        "holdfast:webPool.tlsPort: tcp port 8443 on machine n5 | a port that nothing else uses there; listener http of web-a does",
      ],
    ],
    [
      "a machine that is not listed",
      changed({ webPool: { machines: ["n5", "n9"] } }),
      ['holdfast:webPool.machines: "n9" | keys of holdfast:machines.list (n1, n2, n3, n4, n5, n6)'],
    ],
    [
      "a consumer of a virtual address on a load balancer's machine",
      changed({ webPool: { machines: ["n5", "n1"], port: 9000, tlsPort: 9443 } }),
      [
        "holdfast:webPool.machines: web-b on n1 | machines without a load balancer, because webPool connects to a virtual address",
      ],
    ],
    [
      "a port used twice on a machine",
      changed({ webPool: { machines: ["n5", "n3"] } }),
      [
        "holdfast:webPool.port: tcp port 8080 on machine n3 | a port that nothing else uses there; listener http of app-a does",
        "holdfast:webPool.tlsPort: tcp port 8443 on machine n3 | a port that nothing else uses there; listener http of app-a does",
      ],
    ],
    [
      "the port of the SSH server",
      changed({ appPool: { port: 22 } }),
      [
        "holdfast:appPool.port: tcp port 22 on machine n3 | a port that nothing else uses there; the machine's SSH server does",
        "holdfast:appPool.port: tcp port 22 on machine n4 | a port that nothing else uses there; the machine's SSH server does",
      ],
    ],
    [
      "an endpoint on the status port of the load balancers",
      changed({ appPool: { endpointTlsPort: 8404 } }),
      [
        "holdfast:appPool.endpointTlsPort: tcp port 8404 for endpoint app | a port that nothing else uses there; listener status of lb-a on machine n1 does",
      ],
    ],
    [
      "an endpoint without TLS on the status port of the load balancers",
      changed({ appPool: { tls: "off", endpointPort: 8404 } }),
      [
        "holdfast:appPool.endpointPort: tcp port 8404 for endpoint app | a port that nothing else uses there; listener status of lb-a on machine n1 does",
      ],
    ],
    [
      "an image of one's own without a word on TLS",
      changed({ appPool: { image: "registry.example.com/shop:1" } }),
      [
        "holdfast:appPool.tls: nothing | off, where image registry.example.com/shop:1 serves plain HTTP; require, where it serves TLS on the port in TLS_PORT",
      ],
    ],
    [
      "one port of the edge for HTTP and HTTPS",
      changed({ webPool: { edgeHttpsPort: 80 } }),
      [
        "holdfast:webPool.edgeHttpPort: tcp port 80 for endpoint web | a port that nothing else uses there; endpoint web does",
      ],
    ],
    [
      "several nodes without a load balancer",
      changed({ loadBalancer: { count: 0 } }),
      [
        "holdfast:appPool.count: 2 | 1, because holdfast:loadBalancer.count is 0 and nothing balances endpoint app",
        "holdfast:webPool.count: 2 | 1, because holdfast:loadBalancer.count is 0 and nothing balances endpoint web",
      ],
    ],
    [
      "a network without room for a host",
      changed({ machines: { network: "192.0.2.11/32" } }),
      [
        "holdfast:machines.network: 192.0.2.11/32 | a network with room for machines: at least 4 addresses (/30)",
        ...[11, 12, 13, 14, 15, 16].map(
          (n) =>
            `holdfast:machines.list.n${n - 10}.address: 192.0.2.${n} | an address of a host in holdfast:machines.network (192.0.2.11/32)`,
        ),
        "holdfast:loadBalancer.edgeVip: 192.0.2.5 | an address of a host in holdfast:machines.network (192.0.2.11/32)",
        "holdfast:loadBalancer.internalVip: 192.0.2.6 | an address of a host in holdfast:machines.network (192.0.2.11/32)",
      ],
    ],
  ])("refuses %s", (_, raw, expected) => {
    expect(mistakes(raw)).toEqual(expected);
  });

  it.each(["off", "prefer", "require"])("takes an image of one's own with TLS said: %s", (tls) => {
    const appPool = { image: "registry.example.com/shop:1", tls };
    expect(mistakes(changed({ appPool }))).toEqual([]);
  });

  it("lets ports meet where the addresses differ", () => {
    expect(mistakes(changed({ appPool: { endpointTlsPort: 443 } }))).toEqual([]);
    expect(mistakes(changed({ appPool: { tls: "off", endpointPort: 443 } }))).toEqual([]);
  });
});

describe("the lab refuses", () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    [
      "what only an inventory has",
      {
        machines: {
          privateKey: inventory.machines.privateKey,
          list: { one: { sshHost: "one.example.com", sshPort: 2222, hostKey: "ssh-rsa AAAA" } },
        },
        registry: inventory.registry,
      },
      [
        "holdfast:machines.privateKey: a secret value | nothing: it is for an inventory, and holdfast:machines.source is lab",
        'holdfast:machines.list.one.sshHost: "one.example.com" | nothing: it is for an inventory, and holdfast:machines.source is lab',
        "holdfast:machines.list.one.sshPort: 2222 | nothing: it is for an inventory, and holdfast:machines.source is lab",
        'holdfast:machines.list.one.hostKey: "ssh-rsa AAAA" | nothing: it is for an inventory, and holdfast:machines.source is lab',
        'holdfast:registry.address: "registry.example.com/team" | nothing: it is for an inventory, and holdfast:machines.source is lab',
        'holdfast:registry.username: "deploy" | nothing: it is for an inventory, and holdfast:machines.source is lab',
        "holdfast:registry.password: a secret value | nothing: it is for an inventory, and holdfast:machines.source is lab",
      ],
    ],
    [
      "a small network",
      { machines: { network: "10.77.0.0/25" } },
      [
        "holdfast:machines.network: 10.77.0.0/25 | a network with room for the lab: at least 256 addresses (/24)",
      ],
    ],
    [
      "addresses of the lab itself",
      {
        machines: { list: { one: { address: "10.77.0.1" }, two: { address: "10.77.0.4" } } },
        loadBalancer: { edgeVip: "10.77.0.1", internalVip: "10.77.0.4" },
      },
      [
        "holdfast:machines.list.one.address: 10.77.0.1 | an address of its own; the lab's gateway has it",
        "holdfast:machines.list.two.address: 10.77.0.4 | an address of its own; the lab's registry has it",
        "holdfast:loadBalancer.edgeVip: 10.77.0.1 | an address that nothing else has; machine one has it",
        "holdfast:loadBalancer.internalVip: 10.77.0.4 | an address that nothing else has; machine two has it",
      ],
    ],
    [
      "an address that a node's machine has",
      { machines: { list: { one: { address: "10.77.0.21" } } } },
      [
        "holdfast:machines.list.one.address: 10.77.0.21 | an address of its own; machine vm-web-a has it",
      ],
    ],
    [
      "a machine that is none of a node's",
      { webPool: { machines: ["vm-web-a", "vm-web-z"] } },
      [
        'holdfast:webPool.machines: "vm-web-z" | keys of holdfast:machines.list (none), or vm-<node key> such as vm-web-a',
      ],
    ],
  ])("%s", (_, raw, expected) => {
    expect(mistakes(raw)).toEqual(expected);
  });
});

describe("rules of tiers to come", () => {
  const settings = z.strictObject(placement({ min: 0, max: 20, default: 3 }));
  const tier = (more: Partial<TierDeclaration<typeof settings>>) => ({
    voters: {
      name: "voters",
      key: "voter",
      summary: "",
      serviceClass: "critical" as const,
      settings,
      labHost: 41,
      listeners: () => [],
      ...more,
    },
  });
  const told = (declared: ReturnType<typeof tier>, count: number) => {
    try {
      planStack(declared, parseSettings(declared, { voters: { count } }));
      return [];
    } catch (error) {
      if (error instanceof SettingsError) return error.problems;
      throw error;
    }
  };

  it("an even number of voters is a mistake, none at all is not", () => {
    expect(told(tier({ votes: true }), 4)).toEqual([
      {
        key: "holdfast:voters.count",
        found: "4",
        allowed: "an odd number, because the nodes vote",
      },
    ]);
    expect([0, 1, 3].flatMap((count) => told(tier({ votes: true }), count))).toEqual([]);
  });

  it("the lab has ten machines for a tier", () => {
    expect(told(tier({}), 10)).toEqual([]);
    expect(told(tier({}), 11)).toContainEqual({
      key: "holdfast:voters.count",
      found: "11",
      allowed:
        "at most 10 without holdfast:voters.machines, because the lab has so many machines for a tier",
    });
  });
});

describe("reading a plan", () => {
  it("leaves out of the comparison only what cannot be read", () => {
    expect(
      mistakes(
        changed({
          appPool: { port: "eighty" },
          webPool: { machines: ["n5", "n1"], port: 8404 },
        }),
      ),
    ).toEqual([
      'holdfast:appPool.port: "eighty" | a whole number from 1 to 65535',
      "holdfast:webPool.port: tcp port 8404 on machine n1 | a port that nothing else uses there; listener status of lb-a does",
    ]);
  });

  it("compares nothing where the machines cannot be read", () => {
    expect(
      mistakes({ machines: { network: "all" }, loadBalancer: { edgeVip: "192.0.2.5" } }),
    ).toEqual(['holdfast:machines.network: "all" | an IPv4 network such as 10.77.0.0/24']);
  });
});

describe("any valid settings", () => {
  it("give unique addresses in the network, a machine for each node, and the number of nodes asked for", () => {
    fc.assert(
      fc.property(validSettings, (raw) => {
        const { machines, network, vips, tiers: planned, settings } = plan(raw);
        const addresses = [
          ...machines.map(({ address }) => address),
          ...(vips ? [vips.edge, vips.internal] : []),
        ];
        expect(new Set(addresses).size).toBe(addresses.length);
        for (const address of addresses) expect(isHost(network, address)).toBe(true);
        const keys = new Set(machines.map(({ key }) => key));
        const nodes = Object.values(planned).flatMap((tier) => tier.nodes);
        for (const node of nodes) expect(keys.has(node.machine.key)).toBe(true);
        expect(new Set(nodes.map(({ key }) => key)).size).toBe(nodes.length);
        expect(planned.webPool.nodes).toHaveLength(settings.webPool.count);
        expect(planned.appPool.nodes).toHaveLength(settings.appPool.count);
        expect(planned.loadBalancer.nodes).toHaveLength(settings.loadBalancer.count);
      }),
    );
  });

  it("give the same plan again", () => {
    fc.assert(
      fc.property(validSettings, (raw) => {
        const strip = (text: unknown) => JSON.stringify(text);
        expect(strip(plan(raw))).toBe(strip(plan(structuredClone(raw))));
      }),
    );
  });

  it("never let two listeners meet on a machine", () => {
    fc.assert(
      fc.property(validSettings, (raw) => {
        const used = Object.values(plan(raw).tiers).flatMap(({ nodes, listeners }) =>
          nodes.flatMap(({ machine: { key } }) =>
            listeners
              .flatMap(({ protocol, port, tls }) =>
                [...new Set([port, tls?.port])].map((each) => ({ protocol, port: each })),
              )
              .filter(({ port }) => port !== undefined)
              .map(({ protocol, port }) => `${key} ${protocol} ${port}`),
          ),
        );
        expect(new Set(used).size).toBe(used.length);
      }),
    );
  });
});
