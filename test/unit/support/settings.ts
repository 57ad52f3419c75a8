import fc from "fast-check";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Q2Zr1";

/** A complete and right inventory of six machines, to be broken by tests. */
export const inventory = {
  machines: {
    source: "inventory",
    network: "192.0.2.0/24",
    adminNetworks: ["198.51.100.0/24"],
    privateKey:
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n",
    list: Object.fromEntries(
      [1, 2, 3, 4, 5, 6].map((n) => [`n${n}`, { address: `192.0.2.${10 + n}`, hostKey }]),
    ),
  },
  registry: { address: "registry.example.com/team", username: "deploy", password: "password" },
  loadBalancer: { machines: ["n1", "n2"], edgeVip: "192.0.2.5", internalVip: "192.0.2.6" },
  appPool: { machines: ["n3", "n4"] },
  webPool: { machines: ["n5", "n6"] },
};

const port = fc.integer({ min: 1, max: 65535 });

/** Stages of TLS between tiers, and none said. */
const stage = fc.constantFrom(undefined, "off", "prefer", "require");

/** Settings of the lab without a mistake. */
export const validSettings: fc.Arbitrary<Record<string, unknown>> = fc
  .record({
    third: fc.integer({ min: 0, max: 255 }),
    balancers: fc.integer({ min: 0, max: 2 }),
    web: fc.integer({ min: 1, max: 9 }),
    app: fc.integer({ min: 1, max: 9 }),
    // Ports that may meet on a machine are different ones.
    ports: fc.uniqueArray(
      port.filter((value) => value !== 22),
      { minLength: 12, maxLength: 12 },
    ),
    admin: fc.array(
      fc
        .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
        .map(([address, bits]) => `${address}/${bits}`),
      { minLength: 1, maxLength: 4 },
    ),
    extra: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), { maxLength: 3 }),
    shared: fc.boolean(),
    appTls: stage,
    webTls: stage,
    metricsTls: stage,
    environment: fc.dictionary(
      fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
      fc.oneof(fc.string(), fc.integer(), fc.boolean()),
    ),
  })
  .map(({ third, balancers, web, app, ports, admin, extra, shared, environment, ...stages }) => {
    const { appTls, webTls, metricsTls } = stages;
    const alone = balancers === 0;
    const said = (key: string, value: string | undefined) =>
      value === undefined ? {} : { [key]: value };
    const letters = "abcdefghi".split("");
    return {
      machines: {
        network: `10.${third}.7.0/24`,
        adminNetworks: admin,
        list: Object.fromEntries(extra.map((key) => [`m-${key}`, {}])),
      },
      pki: said("metricsTls", metricsTls),
      loadBalancer: {
        count: balancers,
        statusPort: ports[0],
        heartbeatPort: ports[1],
        supervisorPort: ports[10],
        certificatePort: ports[11],
      },
      appPool: {
        count: alone ? 1 : app,
        port: ports[2],
        endpointPort: ports[3],
        tlsPort: ports[7],
        endpointTlsPort: ports[8],
        ...said("tls", appTls),
        environment,
      },
      webPool: {
        count: alone ? 1 : web,
        port: ports[4],
        edgeHttpPort: ports[5],
        edgeHttpsPort: ports[6],
        tlsPort: ports[9],
        // Without load balancers clients reach the node itself, without TLS.
        ...said("tls", alone && webTls !== undefined ? "off" : webTls),
        // Web nodes on the machines of the application.
        ...(shared ? { machines: letters.map((letter) => `vm-app-${letter}`) } : {}),
      },
    };
  });
