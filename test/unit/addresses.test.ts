import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers, host, isHost, labRegistryAddress, network } from "../../model/addresses";

describe("a network", () => {
  it.each<[string, string, number]>([
    ["10.77.0.0/24", "10.77.0.0/24", 256],
    ["10.77.0.19/24", "10.77.0.0/24", 256],
    ["192.0.2.1/32", "192.0.2.1/32", 1],
    ["172.16.5.4/12", "172.16.0.0/12", 1048576],
    ["1.2.3.4/0", "0.0.0.0/0", 2 ** 32],
    ["255.255.255.255/1", "128.0.0.0/1", 2 ** 31],
  ])("%s is %s with %i addresses", (cidr, canonical, size) => {
    const net = network(cidr);
    expect(net.cidr).toBe(canonical);
    expect(net.last - net.first + 1).toBe(size);
  });

  it.each(["10.77.0.0", "10.77.0.0/33", "300.0.0.0/8", "fd00::/8", ""])("is not %j", (text) => {
    expect(() => network(text)).toThrow();
  });

  it("counts its hosts from its first address", () => {
    const net = network("10.77.3.0/23");
    expect(host(net, 1)).toBe("10.77.2.1");
    expect(host(net, 256)).toBe("10.77.3.0");
    expect(labRegistryAddress(net)).toBe("10.77.2.4");
  });

  it("has hosts between its first and its last address", () => {
    const net = network("192.0.2.0/29");
    const hosts = Array.from({ length: 10 }, (_, n) => host(net, n)).filter((address) =>
      isHost(net, address),
    );
    expect(hosts).toEqual([
      "192.0.2.1",
      "192.0.2.2",
      "192.0.2.3",
      "192.0.2.4",
      "192.0.2.5",
      "192.0.2.6",
    ]);
    expect(isHost(net, "192.0.1.255")).toBe(false);
  });
});

describe("covering", () => {
  it.each<[string, string, boolean]>([
    ["0.0.0.0/0", "255.255.255.255", true],
    ["10.77.0.0/24", "10.77.0.0/24", true],
    ["10.77.0.0/24", "10.77.0.128/25", true],
    ["10.77.0.128/25", "10.77.0.0/24", false],
    ["10.77.0.0/24", "10.77.1.0", false],
    ["10.77.0.9/32", "10.77.0.9", true],
  ])("%s covers %s: %s", (outer, inner, expected) => {
    expect(covers(outer, inner)).toBe(expected);
  });

  it("of two networks is either nested or none at all", () => {
    const cidr = fc
      .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
      .map(([address, bits]) => network(`${address}/${bits}`));
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        const apart = a.last < b.first || b.last < a.first;
        expect(covers(a.cidr, b.cidr) || covers(b.cidr, a.cidr)).toBe(!apart);
      }),
    );
  });
});
