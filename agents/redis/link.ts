import { Redis } from "ioredis";
import { messageOf } from "../io";

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  /** The authority that its certificate must be from, PEM. */
  readonly ca: string;
  readonly user: string;
  /** Passwords to try, the current one first. */
  readonly passwords: readonly string[];
  readonly timeoutMs: number;
}

/** A connection to a Redis or a Sentinel, made when it is used and again after every failure. */
export class Link {
  private opening: Promise<Redis> | undefined;
  private index: number | undefined;

  constructor(private readonly options: LinkOptions) {}

  /** Index of the password that was accepted last; undefined before one was. */
  get accepted(): number | undefined {
    return this.index;
  }

  /** The answer to a command. Rejects with the error that it answers, or where it does not. */
  async ask(command: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const client = await this.client();
    return this.guarded(client, client.call(command, ...args));
  }

  /** Runs commands as one transaction: other clients see all of them done, or none. */
  async atOnce(...commands: readonly (readonly string[])[]): Promise<void> {
    const client = await this.client();
    const parts = [["MULTI"], ...commands, ["EXEC"]].map(([command = "", ...args]) =>
      client.call(command, ...args),
    );
    const answers = await Promise.all(parts.map((part) => this.guarded(client, part)));
    const done: unknown = answers.at(-1);
    for (const part of Array.isArray(done) ? (done as unknown[]) : []) {
      if (part instanceof Error) throw part;
    }
  }

  close(): void {
    void this.opening?.then((client) => client.disconnect()).catch(() => undefined);
    this.opening = undefined;
  }

  /** What does not answer in time may answer something else later: the connection is given up. */
  private async guarded(client: Redis, answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof Error && error.name === "ReplyError")) client.disconnect();
      throw error;
    }
  }

  private client(): Promise<Redis> {
    if (this.opening) return this.opening;
    const opening: Promise<Redis> = this.open(() => {
      if (this.opening === opening) this.opening = undefined;
    });
    this.opening = opening;
    return opening;
  }

  private async open(onClose: () => void): Promise<Redis> {
    const { host, port, ca, timeoutMs } = this.options;
    const client = new Redis({
      host,
      port,
      tls: { ca },
      lazyConnect: true,
      protocol: 2,
      enableReadyCheck: false,
      disableClientInfo: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      disconnectTimeout: 100,
    });
    let failure: string | undefined;
    client.on("error", (error) => (failure = messageOf(error)));
    client.once("close", onClose);
    try {
      await client.connect();
      await this.enter(client);
      return client;
    } catch (error) {
      client.disconnect();
      onClose();
      throw new Error(`${host}:${port}: ${failure ?? messageOf(error)}`);
    }
  }

  private async enter(client: Redis): Promise<void> {
    const { user, passwords } = this.options;
    for (const [index, password] of passwords.entries()) {
      try {
        await client.call("AUTH", user, password);
        this.index = index;
        return;
      } catch (error) {
        const another = messageOf(error).startsWith("WRONGPASS") && index + 1 < passwords.length;
        if (!another) throw error;
      }
    }
  }
}
