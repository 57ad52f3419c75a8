import ipaddr from "ipaddr.js";

/** An IPv4 network in numbers: first and last address, both included. */
export interface Network {
  readonly cidr: string;
  readonly first: number;
  readonly last: number;
}

/**
 * Last octet of the lab's own hosts and of the first machine in the settings' list; the machines of
 * the tiers' nodes are in between, so many for each tier.
 */
export const labHosts = { gateway: 1, registry: 4, firstListed: 101, perTier: 10 } as const;

function toNumber(address: string): number {
  return ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** The network of `cidr`; host bits in it are ignored. Throws on anything but IPv4 CIDR. */
export function network(cidr: string): Network {
  const [address, bits] = ipaddr.IPv4.parseCIDR(cidr);
  const size = 2 ** (32 - bits);
  const first = Math.floor(toNumber(address.toString()) / size) * size;
  return { cidr: `${toAddress(first)}/${bits}`, first, last: first + size - 1 };
}

/** The n-th address of the network, counted from its first. */
export function host(net: Network, n: number): string {
  return toAddress(net.first + n);
}

/** True where `address` can be a host of the network: inside, and neither first nor last. */
export function isHost(net: Network, address: string): boolean {
  const value = toNumber(address);
  return value > net.first && value < net.last;
}

/** True where every address of `inner` (an address or a CIDR) lies in `outer` (a CIDR). */
export function covers(outer: string, inner: string): boolean {
  const around = network(outer);
  const within = network(inner.includes("/") ? inner : `${inner}/32`);
  return around.first <= within.first && within.last <= around.last;
}

/** Address of the lab's image registry. */
export function labRegistryAddress(net: Network): string {
  return host(net, labHosts.registry);
}
