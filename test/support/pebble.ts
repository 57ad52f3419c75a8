/** Where Pebble is and what it makes. Addresses are `address:port`. */
export interface PebbleSettings {
  /** Of the directory, `https://<listen>/dir`. */
  readonly listen: string;
  /** Of what it tells about itself, such as its root certificate. */
  readonly management: string;
  /** Files with the certificate that the directory shows, and its key. */
  readonly certificate: string;
  readonly privateKey: string;
  /** Port on which names must prove themselves. */
  readonly httpPort: number;
  /** Seconds that what it issues is valid. */
  readonly validSeconds: number;
}

/** Pebble's configuration file. */
export function pebbleConfig(settings: PebbleSettings): string {
  const { listen, management, certificate, privateKey, httpPort, validSeconds } = settings;
  return JSON.stringify({
    pebble: {
      listenAddress: listen,
      managementListenAddress: management,
      certificate,
      privateKey,
      httpPort,
      tlsPort: 5001,
      ocspResponderURL: "",
      externalAccountBindingRequired: false,
      profiles: { default: { description: "for tests", validityPeriod: validSeconds } },
    },
  });
}

/** Environment under which every order has to prove itself anew, at once. */
export const pebbleEnvironment = { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" } as const;

/** Arguments of its DNS server, by which every name is at one address. */
export function namesArguments(address: string, dns: string, management: string): string[] {
  return [
    ...["-defaultIPv4", address, "-defaultIPv6", "", "-dnsserver", dns],
    ...["-management", management, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""],
  ];
}
