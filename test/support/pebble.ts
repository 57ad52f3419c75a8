import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { thisMachine } from "../../toolchain/context";
import { ensureTestTool } from "../../toolchain/testTools";
import { pebble } from "../../toolchain/versions";
import { Authority } from "../unit/support/certificates";
import { eventually } from "./measure";

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

/** A page that a server with a certificate of that authority shows. */
export function pageOf(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { ca, agent: false, timeout: 3000 }, (answer) => {
      let text = "";
      answer.on("data", (part: Buffer) => (text += part.toString()));
      answer.on("end", () => resolve(text));
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.on("error", reject);
  });
}

/** Pebble in a container beside the machines of a lab; every name is at the stack's edge. */
export class LabPebble {
  readonly directory: string;
  /** Certificate of the authority that its directory is verified by. */
  readonly directoryAuthority: string;
  private readonly authority = new Authority();
  private readonly folder = mkdtempSync(path.join(tmpdir(), "holdfast-pebble-"));
  private readonly container: string;

  /** `network`: of the stack's lab. `address`: a free one in it. `validSeconds`: of what it issues. */
  constructor(
    private readonly network: string,
    private readonly address: string,
    private readonly validSeconds: number,
  ) {
    this.directory = `https://${address}:14000/dir`;
    this.directoryAuthority = this.authority.certificate;
    this.container = `${network}-pebble`;
  }

  async start(edge: string): Promise<void> {
    const programs = await ensureTestTool(pebble, thisMachine());
    const { certificate, key } = this.authority.issue({ names: [], addresses: [this.address] });
    const config = pebbleConfig({
      listen: `${this.address}:14000`,
      management: `${this.address}:15000`,
      certificate: "/config/pebble.pem",
      privateKey: "/config/pebble.key",
      httpPort: 80,
      validSeconds: this.validSeconds,
    });
    const names = namesArguments(edge, "127.0.0.1:8053", "127.0.0.1:8055");
    const files = {
      "pebble.pem": certificate,
      "pebble.key": key,
      "pebble.json": config,
      "start.sh": [
        `/programs/pebble-challtestsrv ${names.map((word) => `'${word}'`).join(" ")} &`,
        "exec /programs/pebble -config /config/pebble.json -dnsserver 127.0.0.1:8053",
        "",
      ].join("\n"),
    };
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(path.join(this.folder, name), text);
    }
    const environment = Object.entries(pebbleEnvironment).flatMap(([name, value]) => [
      "--env",
      `${name}=${value}`,
    ]);
    await this.remove();
    await execa("docker", [
      ...["create", "--name", this.container],
      ...["--network", this.network, "--ip", this.address, ...environment],
      ...["debian:trixie-slim", "sh", "/config/start.sh"],
    ]);
    // Copied: the engine need not see this computer's files.
    await execa("docker", ["cp", `${programs}/.`, `${this.container}:/programs`]);
    await execa("docker", ["cp", `${this.folder}/.`, `${this.container}:/config`]);
    await execa("docker", ["start", this.container]);
    await eventually("Pebble answers", 30, () =>
      this.root().then(
        () => true,
        () => false,
      ),
    );
  }

  /** Certificate of the authority that issues, made anew with each start. */
  root(): Promise<string> {
    return pageOf(`https://${this.address}:15000/roots/0`, this.directoryAuthority);
  }

  /** Before the lab's network can go. */
  async stop(): Promise<void> {
    await this.remove();
    this.authority.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async remove(): Promise<void> {
    await execa("docker", ["rm", "--force", "--volumes", this.container], { reject: false });
  }
}
