import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers } from "../../model/addresses";
import {
  allowedElements,
  connections,
  minimal,
  type AllowedElement,
  type Connection,
} from "../../model/connections";
import { readPlan } from "../../model/stack";
import type { Listener } from "../../model/tier";
import { tiers } from "../../tiers";
import { validSettings } from "./support/settings";

const plan = (raw: Record<string, unknown> = {}) => readPlan(tiers, raw);

const line = ({ source, from, to, protocol, port, listener }: Connection) =>
  `${source} ${from} -> ${to} ${protocol}${port === undefined ? "" : `/${port}`} ${listener}`;

const allowed = (elements: readonly AllowedElement[]) =>
  elements.map(({ source, protocol, port }) => `${source} ${protocol} ${port ?? "-"}`);

/** Elements of every machine, by machine key. */
const everywhere = (raw: Record<string, unknown>) => {
  const planned = plan(raw);
  return Object.fromEntries(
    planned.machines.map(({ key }) => [key, allowed(allowedElements(planned, key))]),
  );
};

/** The plan with listeners of one tier in place of its own. */
function withListeners(tier: keyof typeof tiers, listeners: readonly Listener[]) {
  const declared = { ...tiers, [tier]: { ...tiers[tier], listeners: () => listeners } };
  return readPlan(declared, {});
}

describe("connections", () => {
  it("of the smallest stack with load balancers", () => {
    const raw = { loadBalancer: { count: 1 }, webPool: { count: 1 }, appPool: { count: 1 } };
    expect(connections(plan(raw)).map(line)).toEqual([
      "admin 0.0.0.0/0 -> vm-lb-a tcp/8404 status",
      "webPool 10.77.0.21/32 -> vm-lb-a tcp/8443 app",
      "loadBalancer 10.77.0.11/32 -> vm-app-a tcp/8443 http",
      "public 0.0.0.0/0 -> vm-lb-a tcp/80 web",
      "public 0.0.0.0/0 -> vm-lb-a tcp/443 web",
      "loadBalancer 10.77.0.11/32 -> vm-web-a tcp/8443 http",
      "admin 0.0.0.0/0 -> vm-lb-a tcp/22 ssh",
      "admin 0.0.0.0/0 -> vm-app-a tcp/22 ssh",
      "admin 0.0.0.0/0 -> vm-web-a tcp/22 ssh",
    ]);
  });

  it("between peers run both ways, and never from a node to itself", () => {
    const vrrp = connections(plan()).filter(({ protocol }) => protocol === "vrrp");
    expect(vrrp.map(({ fromNode, toNode }) => [fromNode, toNode])).toEqual([
      ["lb-b", "lb-a"],
      ["lb-a", "lb-b"],
    ]);
  });

  it("without load balancers go to the servers themselves", () => {
    const raw = { loadBalancer: { count: 0 }, webPool: { count: 1 }, appPool: { count: 1 } };
    expect(connections(plan(raw)).map(line)).toEqual([
      "webPool 10.77.0.21/32 -> vm-app-a tcp/8443 http",
      "public 0.0.0.0/0 -> vm-web-a tcp/8080 http",
      "admin 0.0.0.0/0 -> vm-app-a tcp/22 ssh",
      "admin 0.0.0.0/0 -> vm-web-a tcp/22 ssh",
    ]);
  });

  describe("over TLS", () => {
    const stage = (tls: string) => ({ appPool: { count: 1, tls }, webPool: { count: 1, tls } });
    const pools = (raw: Record<string, unknown>) =>
      connections(plan(raw))
        .filter(({ listener }) => ["http", "app"].includes(listener))
        .map(line);

    it("are none where it is off, but for the port that the endpoint keeps", () => {
      expect(pools({ ...stage("off"), loadBalancer: { count: 1 } })).toEqual([
        "webPool 10.77.0.21/32 -> vm-lb-a tcp/8080 app",
        "webPool 10.77.0.21/32 -> vm-lb-a tcp/8443 app",
        "loadBalancer 10.77.0.11/32 -> vm-app-a tcp/8080 http",
        "loadBalancer 10.77.0.11/32 -> vm-web-a tcp/8080 http",
      ]);
    });

    it("are beside those without, where either is taken", () => {
      expect(pools({ ...stage("prefer"), loadBalancer: { count: 1 } })).toEqual([
        "webPool 10.77.0.21/32 -> vm-lb-a tcp/8443 app",
        "webPool 10.77.0.21/32 -> vm-lb-a tcp/8080 app",
        "loadBalancer 10.77.0.11/32 -> vm-app-a tcp/8443 http",
        "loadBalancer 10.77.0.11/32 -> vm-app-a tcp/8080 http",
        "loadBalancer 10.77.0.11/32 -> vm-web-a tcp/8443 http",
        "loadBalancer 10.77.0.11/32 -> vm-web-a tcp/8080 http",
      ]);
    });

    it("are all there is where it is required, metrics included", () => {
      const raw = { ...stage("require"), loadBalancer: { count: 1 }, monitoring: { count: 1 } };
      expect(pools(raw)).toEqual([
        "monitoring 10.77.0.61/32 -> vm-app-a tcp/8443 http",
        "webPool 10.77.0.21/32 -> vm-lb-a tcp/8443 app",
        "loadBalancer 10.77.0.11/32 -> vm-app-a tcp/8443 http",
        "loadBalancer 10.77.0.11/32 -> vm-web-a tcp/8443 http",
      ]);
      expect(allowed(allowedElements(plan(raw), "vm-app-a"))).not.toContain(
        "10.77.0.11/32 tcp 8080",
      );
    });

    it.each(["prefer", "require"])(
      "are the same with TLS for health and metrics: %s, each once",
      (metricsTls) => {
        const raw = {
          ...{ mysqlCluster: { count: 3 }, redisCache: { count: 3 }, backup: { count: 1 } },
          ...{ monitoring: { count: 2 }, appPool: { sample: "property" } },
        };
        const at = (stage: string) =>
          connections(plan({ ...raw, pki: { metricsTls: stage } })).map(line);
        expect(at(metricsTls)).toEqual(at("off"));
      },
    );

    it("go to the application itself without load balancers", () => {
      const raw = { loadBalancer: { count: 0 }, webPool: { count: 1 }, appPool: { count: 1 } };
      expect(pools({ ...raw, appPool: { count: 1, tls: "require" } })).toEqual([
        "webPool 10.77.0.21/32 -> vm-app-a tcp/8443 http",
        "public 0.0.0.0/0 -> vm-web-a tcp/8080 http",
      ]);
    });

    // The load balancers roll first, then the application, then the web nodes.
    it.each([
      ["off", "prefer"],
      ["prefer", "require"],
      ["require", "prefer"],
      ["prefer", "off"],
    ])("keep an endpoint that both stages have: %s to %s", (before, after) => {
      const used = plan(stage(before)).endpoints.find(({ name }) => name === "app");
      const offered = plan(stage(after)).backends.find(({ endpoint }) => endpoint === "app");
      // Web nodes still use what the stage before offers first.
      expect(offered?.ports.map(({ port }) => port)).toContain(used?.port);
    });
  });

  it("for checks on another port come from the load balancers alone", () => {
    const planned = withListeners("appPool", [
      {
        name: "db",
        protocol: "tcp",
        port: 3306,
        from: ["webPool"],
        purpose: "queries",
        balanced: [
          {
            endpoint: "db-primary",
            vip: "internal",
            ports: [{ port: 3306, tls: false }],
            mode: "tcp",
            check: { path: "/primary", port: 9200 },
          },
        ],
      },
    ]);
    expect(allowed(allowedElements(planned, "vm-app-a"))).toEqual([
      "0.0.0.0/0 tcp 22",
      "10.77.0.11/32 tcp 3306",
      "10.77.0.12/32 tcp 3306",
      "10.77.0.11/32 tcp 9200",
      "10.77.0.12/32 tcp 9200",
    ]);
  });

  it("from a tier that the stack lacks are none", () => {
    const planned = withListeners("appPool", [
      { name: "metrics", protocol: "tcp", port: 9100, from: ["monitoring"], purpose: "metrics" },
    ]);
    expect(allowed(allowedElements(planned, "vm-app-a"))).toEqual(["0.0.0.0/0 tcp 22"]);
  });

  it("say which tiers and nodes they join, and what for", () => {
    expect(connections(plan()).find(({ toNode }) => toNode === "app-b")).toEqual({
      source: "loadBalancer",
      from: "10.77.0.11/32",
      fromNode: "lb-a",
      tier: "appPool",
      to: "vm-app-b",
      toNode: "app-b",
      protocol: "tcp",
      port: 8443,
      listener: "http",
      endpoint: "app",
      purpose: "requests to the application",
    });
  });
});

describe("what a machine lets in", () => {
  it("in the smallest complete stack", () => {
    const pool = ["0.0.0.0/0 tcp 22", "10.77.0.11/32 tcp 8443", "10.77.0.12/32 tcp 8443"];
    const balancer = (peer: string) => [
      "0.0.0.0/0 tcp 22",
      "0.0.0.0/0 tcp 80",
      "0.0.0.0/0 tcp 443",
      "0.0.0.0/0 tcp 8404",
      "10.77.0.21/32 tcp 8443",
      "10.77.0.22/32 tcp 8443",
      `${peer} udp 8405`,
      `${peer} vrrp -`,
    ];
    expect(everywhere({})).toEqual({
      "vm-lb-a": balancer("10.77.0.12/32"),
      "vm-lb-b": balancer("10.77.0.11/32"),
      "vm-app-a": pool,
      "vm-app-b": pool,
      "vm-web-a": pool,
      "vm-web-b": pool,
    });
  });

  it("for the operator is the admin networks, the wider ones only", () => {
    const raw = { machines: { adminNetworks: ["192.0.2.7/24", "192.0.2.9/32", "10.0.0.0/8"] } };
    expect(everywhere(raw)["vm-web-a"]).toEqual([
      "10.0.0.0/8 tcp 22",
      "192.0.2.0/24 tcp 22",
      "10.77.0.11/32 tcp 8443",
      "10.77.0.12/32 tcp 8443",
    ]);
  });

  it("leaves out what the machine says to itself", () => {
    expect(
      everywhere({
        machines: { list: { box: {} }, adminNetworks: ["192.0.2.0/24"] },
        loadBalancer: { count: 0 },
        webPool: { count: 1, machines: ["box"], port: 80 },
        appPool: { count: 1, machines: ["box"] },
      }),
    ).toEqual({ box: ["192.0.2.0/24 tcp 22", "0.0.0.0/0 tcp 80"] });
  });

  it("of an unknown machine is an error", () => {
    expect(() => allowedElements(plan({ webPool: { count: 1 } }), "web-a")).toThrow(
      "found machine web-a, allowed: vm-lb-a, vm-lb-b, vm-app-a, vm-app-b, vm-web-a",
    );
  });
});

describe("minimal elements", () => {
  const element: fc.Arbitrary<AllowedElement> = fc.record({
    source: fc
      .tuple(fc.constantFrom("10.0.0.0", "10.0.0.128", "10.128.0.1", "192.0.2.1"), fc.nat(32))
      .map(([address, bits]) => `${address}/${bits}`),
    protocol: fc.constantFrom("tcp", "udp", "vrrp"),
    port: fc.constantFrom(80, 443),
  });
  const same = (a: AllowedElement, b: AllowedElement) =>
    a.protocol === b.protocol && a.port === b.port;

  it("cover everything and overlap nowhere, in whatever order they come", () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 12 }), (elements) => {
        const kept = minimal(elements);
        for (const one of elements) {
          expect(kept.some((other) => same(one, other) && covers(other.source, one.source))).toBe(
            true,
          );
        }
        kept.forEach((one, index) => {
          expect(elements).toContain(one);
          kept.slice(index + 1).forEach((other) => {
            const meet =
              same(one, other) &&
              (covers(one.source, other.source) || covers(other.source, one.source));
            expect(meet).toBe(false);
          });
        });
        expect(minimal(kept)).toEqual(kept);
      }),
    );
  });
});

describe("any valid settings", () => {
  it("join only machines and nodes that exist, and let the operator into each machine", () => {
    fc.assert(
      fc.property(validSettings, (raw) => {
        const planned = plan(raw);
        const machines = new Set(planned.machines.map(({ key }) => key));
        const all = connections(planned);
        for (const { to } of all) expect(machines.has(to)).toBe(true);
        for (const machine of planned.machines) {
          const elements = allowedElements(planned, machine.key);
          for (const network of planned.settings.machines.adminNetworks) {
            expect(
              elements.some(
                ({ source, protocol, port }) =>
                  protocol === "tcp" && port === machine.ssh.port && covers(source, network),
              ),
            ).toBe(true);
          }
          // Each element is there because a connection asks for it, and each connection is let in.
          const asked = all.filter(({ to }) => to === machine.key);
          for (const { source, protocol, port } of elements) {
            expect(
              asked.some((c) => c.from === source && c.protocol === protocol && c.port === port),
            ).toBe(true);
          }
          for (const { from, protocol, port } of asked) {
            expect(
              from === `${machine.address}/32` ||
                elements.some(
                  (e) => e.protocol === protocol && e.port === port && covers(e.source, from),
                ),
            ).toBe(true);
          }
        }
      }),
    );
  });
});
