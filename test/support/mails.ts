import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

/** A mail as it came. */
export interface Mail {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly to: readonly string[];
  readonly subject: string;
}

/** What a mail of Alertmanager tells, by its subject; undefined where it is another mail. */
export function toldBy({ subject }: Mail): { status: string; alert: string } | undefined {
  const [, status, alert] = /^\[(firing|resolved)[^\]]*\] .*: (\w+)$/.exec(subject) ?? [];
  return status !== undefined && alert !== undefined ? { status, alert } : undefined;
}

/** The subject in a mail's header, of which long lines are folded. */
function subjectOf(text: string): string {
  const [header = ""] = text.split("\r\n\r\n", 1);
  return /^Subject: (.*)$/im.exec(header.replace(/\r\n[ \t]+/g, " "))?.[1] ?? "";
}

/** A mail server that keeps what is sent through it, without encryption and from anybody. */
export class MailSink {
  readonly mails: Mail[] = [];
  private readonly server: SMTPServer;

  constructor() {
    this.server = new SMTPServer({
      disabledCommands: ["AUTH", "STARTTLS"],
      onData: (stream, { envelope }, done) => {
        let text = "";
        stream.setEncoding("utf8");
        stream.on("data", (part: string) => (text += part));
        stream.on("end", () => {
          const to = envelope.rcptTo.map(({ address }) => address);
          this.mails.push({ at: Date.now(), to, subject: subjectOf(text) });
          done();
        });
      },
    });
    // A client that goes away in the middle sends its mail again.
    this.server.on("error", (error) => console.log(`mail server: ${error.message}`));
  }

  /** Port on every address of this computer, once it listens. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, resolve));
    return (this.server.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(resolve));
  }

  /** Subjects of the mails since a moment that tell of that alert. */
  subjects(since: number, alert: string, status: "firing" | "resolved"): readonly string[] {
    return this.mails
      .filter(({ at }) => at >= since)
      .map(({ subject }) => subject)
      .filter((subject) => subject.startsWith(`[${status}`) && subject.endsWith(`: ${alert}`));
  }
}
