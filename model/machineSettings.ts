import { z } from "zod";

/** IPv4 address in dotted form. */
export const ipv4 = (description: string) => z.ipv4().describe(description);

const interfaceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/, { error: "the name of a network interface" });

const registryAddress = z.string().regex(/^[a-z0-9][a-z0-9.-]*(:\d{1,5})?(\/[a-z0-9._-]+)*$/, {
  error: "host, optional port and path such as registry.example.com:5000/team, without https://",
});

const machine = z
  .strictObject({
    address: ipv4(
      "Address that the other machines use. Required in an inventory; in the lab the next free one from .101.",
    ).optional(),
    sshHost: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9.:-]*$/, { error: "a host name or an address, without a user" })
      .optional()
      .describe("Name or address the deployer connects to. Default: `address`."),
    sshPort: z.int().min(1).max(65535).default(22).describe("Port of the machine's SSH server."),
    sshUser: z.enum(["root"]).default("root").describe("SSH user."),
    hostKey: z
      .string()
      .regex(/^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/=]+$/, {
        error: "must be a public host key such as 'ssh-ed25519 AAAA...' (ssh-keyscan prints it)",
      })
      .optional()
      .describe(
        "Public SSH host key, the only one that is accepted. Required in an inventory; in the lab it is made.",
      ),
    interface: interfaceName
      .optional()
      .describe("Network interface with `address`. Default: `machines.interface`."),
    failureDomain: z
      .string()
      .min(1)
      .optional()
      .describe("What fails together with it: a host, a rack, a zone. Default: the machine alone."),
  })
  .readonly();

/** Settings under `holdfast:machines`. */
export const machinesSchema = z
  .strictObject({
    source: z
      .enum(["lab", "inventory"])
      .default("lab")
      .describe(
        "`lab`: containers on this computer that behave as VMs. `inventory`: existing VMs.",
      ),
    network: z
      .cidrv4()
      .default("10.77.0.0/24")
      .describe("Network of the machines and the virtual addresses."),
    interface: interfaceName
      .default("eth0")
      .describe("Network interface of the machines in that network."),
    adminNetworks: z
      .array(z.cidrv4())
      .min(1)
      .readonly()
      .default(["0.0.0.0/0"])
      .describe("Networks that may use SSH and the status pages."),
    privateKey: z
      .string()
      .regex(/^-----BEGIN [A-Z ]*PRIVATE KEY-----\s[\s\S]+\s-----END [A-Z ]*PRIVATE KEY-----\s*$/, {
        error: "a private key as ssh-keygen writes it, from its BEGIN line to its END line",
      })
      .optional()
      .describe(
        "Secret. Private SSH key that the machines of an inventory accept. In the lab a key pair is made per stack.",
      ),
    list: z
      .record(
        z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, {
          error: "a machine's key has lower-case letters, digits and hyphens",
        }),
        machine,
      )
      .readonly()
      .default({})
      .describe("Machines by key. Required in an inventory."),
  })
  .readonly();

/** Settings under `holdfast:registry`. */
export const registrySchema = z
  .strictObject({
    address: registryAddress
      .optional()
      .describe(
        "Image registry that the machines reach, with an optional path: `registry.example.com/team`. Required in an inventory; the lab has its own.",
      ),
    pushAddress: registryAddress
      .optional()
      .describe("The same registry as this computer reaches it. Default: `address`."),
    username: z.string().min(1).optional().describe("User of the registry."),
    password: z.string().min(1).optional().describe("Secret. Password of the registry's user."),
    insecure: z
      .boolean()
      .default(false)
      .describe("True where the registry speaks plain HTTP; for tests only."),
    publishPort: z
      .int()
      .min(1)
      .max(65535)
      .optional()
      .describe(
        "Loopback port on which this computer reaches the lab's registry. Default: one of its own for each network, from 20000.",
      ),
  })
  .readonly();

export type MachinesSettings = z.output<typeof machinesSchema>;
export type RegistrySettings = z.output<typeof registrySchema>;
