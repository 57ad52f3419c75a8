import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";

/** Where clients connect, by which name, and whom they trust. */
export interface TlsTarget {
  readonly address: string;
  readonly name: string;
  readonly authority: string;
}

/** Serial number of the certificate with which a request was answered; rejects as a client would. */
export function verifiedSerial({ address, name, authority }: TlsTarget): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 443, servername: name, ca: authority }, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.write(`GET /ping HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      let answer = "";
      socket.on("data", (part: Buffer) => (answer += part.toString()));
      socket.on("end", () => {
        if (answer.startsWith("HTTP/1.1 200 ")) resolve(serialNumber);
        else reject(new Error(`answered ${JSON.stringify(answer.slice(0, 40))}`));
      });
    });
    socket.setTimeout(5000, () => socket.destroy(new Error("no answer within 5 s")));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before the end of the answer")));
  });
}

/**
 * A client that begins a new connection ten times a second and verifies the certificate by its name:
 * the load's own clients know the edge by its address.
 */
export class TlsWatch {
  requests = 0;
  readonly failures: string[] = [];
  readonly serials = new Set<string>();
  private readonly running: Promise<void>;
  private over = false;

  constructor(private readonly target: TlsTarget) {
    this.running = this.run();
  }

  /** Forgets what was seen so far. */
  reset(): void {
    this.requests = 0;
    this.failures.length = 0;
    this.serials.clear();
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.over) {
      const at = new Date().toISOString();
      this.requests += 1;
      await verifiedSerial(this.target).then(
        (serial) => this.serials.add(serial),
        (error: unknown) => this.failures.push(`${at} ${String(error)}`),
      );
      await sleep(100);
    }
  }
}
