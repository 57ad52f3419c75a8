import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { AcmeView } from "../../../model/views";
import { messageOf, readWhole, writeWhole } from "../../io";
import { log } from "../io";
import { better, parseBundle, standingOf, type Bundle, type Standing } from "./bundle";
import { failedAt, noAttempts, reasonToOrder, succeededAt, type Attempts } from "./decide";
import { fetchCertificate } from "./exchange";
import { orderCertificate } from "./lego";
import { acmeMetrics } from "./metrics";

/** What the keeper of the edge's certificate depends on. */
export interface KeeperDependencies {
  /** Whether this node holds the address at which the authority asks for the proof. */
  readonly holdsAddress: () => boolean;
  /** Sends a command to HAProxy's runtime socket. */
  readonly askHaproxy: (command: string) => Promise<string>;
  readonly order?: (view: AcmeView) => Promise<Bundle>;
  readonly fetchFromPeer?: (view: AcmeView) => Promise<string | undefined>;
  readonly now?: () => number;
}

/**
 * Keeps the edge's certificate: in a volume, in what HAProxy shows, and the same on both load
 * balancers. Each takes from the other what is newer; who holds the address orders.
 */
export class CertificateKeeper {
  private readonly keptFile: string;
  private readonly attemptsFile: string;
  private attempts: Attempts;
  private kept: Standing | undefined;
  /** PEM that HAProxy has. */
  private loaded: string | undefined;
  private asked = false;
  private peerError: string | undefined;
  private working: Promise<void> | undefined;

  constructor(
    private readonly view: AcmeView,
    private readonly with_: KeeperDependencies,
  ) {
    mkdirSync(view.files.kept, { recursive: true, mode: 0o700 });
    this.keptFile = path.join(view.files.kept, "certificate.json");
    this.attemptsFile = path.join(view.files.kept, "attempts.json");
    this.attempts = readAttempts(this.attemptsFile);
    this.kept = this.read(readWhole(this.keptFile));
  }

  /** Writes what HAProxy shows from its start on. */
  prepare(): void {
    this.loaded = this.wantedPem();
    writeWhole(this.view.files.shown, this.loaded);
    const { kept } = this;
    log("certificate of the edge", kept ? described(kept) : { certificate: "placeholder" });
  }

  /** The kept certificate as the peer gets it. Secret. */
  readonly text = (): string | undefined => this.kept && JSON.stringify(this.kept.bundle);

  /** Has one ordered, due or not; false where another node holds the address and must be asked. */
  requestOrder(): boolean {
    this.asked = this.with_.holdsAddress();
    return this.asked;
  }

  /** Looks what is to be done, and does it; once at a time. */
  tick(): Promise<void> {
    this.working ??= this.look()
      .catch((error: unknown) => log("acme", { error: messageOf(error) }))
      .finally(() => (this.working = undefined));
    return this.working;
  }

  metrics(): string {
    const { attempts } = this;
    return acmeMetrics({
      shown: this.usable(),
      renewBeforeDays: this.view.renewBeforeDays,
      attempts,
    });
  }

  status(): object {
    const { failures, notBefore } = this.attempts;
    const standing = this.usable();
    return {
      ...(standing ? described(standing) : { certificate: "placeholder" }),
      shown: this.loaded === this.wantedPem(),
      failures,
      ...(failures > 0 && { nextOrder: new Date(notBefore).toISOString() }),
    };
  }

  private now(): number {
    return this.with_.now?.() ?? Date.now();
  }

  private async look(): Promise<void> {
    if (!this.with_.holdsAddress()) this.asked = false;
    await this.takeFromPeer();
    const reason = this.asked
      ? "somebody asked for it"
      : reasonToOrder(this.usable(), this.view.renewBeforeDays, this.now());
    const may = this.with_.holdsAddress() && (this.asked || this.now() >= this.attempts.notBefore);
    if (reason !== undefined && may) await this.order(reason);
    await this.show();
  }

  private async takeFromPeer(): Promise<void> {
    try {
      const theirs = this.read(await (this.with_.fetchFromPeer ?? fetchCertificate)(this.view));
      const mine = this.usable();
      const chosen = better(mine, theirs);
      if (chosen && chosen !== mine) this.keep(chosen, "peer");
      this.peerError = undefined;
    } catch (error) {
      // It may be away for long: told once.
      const message = messageOf(error);
      if (message !== this.peerError) log("acme: the peer gave nothing", { error: message });
      this.peerError = message;
    }
  }

  private async order(reason: string): Promise<void> {
    this.asked = false;
    const before = this.attempts;
    log("acme: ordering a certificate", { reason, names: this.view.hostnames });
    // First, so that a node which cannot write does not order again and again.
    this.attempts = failedAt(before, this.now(), Math.random());
    writeWhole(this.attemptsFile, JSON.stringify(this.attempts));
    try {
      const bundle = await (this.with_.order ?? orderCertificate)(this.view);
      const standing = standingOf(bundle, this.view, new Date(this.now()));
      if (!standing?.fits) throw new Error("what was issued is not what was ordered");
      this.keep(standing, "authority");
      this.attempts = succeededAt(before, this.now());
    } catch (error) {
      this.attempts = { ...this.attempts, lastFailure: this.now() };
      log("acme: no certificate", {
        error: messageOf(error),
        next: new Date(this.attempts.notBefore).toISOString(),
      });
    }
    writeWhole(this.attemptsFile, JSON.stringify(this.attempts));
  }

  private keep(standing: Standing, from: string): void {
    writeWhole(this.keptFile, JSON.stringify(standing.bundle));
    this.kept = standing;
    log("acme: new certificate", { from, ...described(standing) });
  }

  /** HAProxy shows what is kept; its file first, from which it starts. */
  private async show(): Promise<void> {
    const pem = this.wantedPem();
    if (pem === this.loaded) return;
    const { shown } = this.view.files;
    writeWhole(shown, pem);
    // An empty line ends the certificate.
    const lines = pem.split("\n").filter(Boolean).join("\n");
    const set = await this.with_.askHaproxy(`set ssl cert ${shown} <<\n${lines}\n`);
    const answer = await this.with_.askHaproxy(`commit ssl cert ${shown}`);
    if (!answer.includes("Success")) {
      await this.with_.askHaproxy(`abort ssl cert ${shown}`);
      throw new Error(`HAProxy kept its certificate: ${set.trim()} ${answer.trim()}`);
    }
    this.loaded = pem;
    log("acme: HAProxy shows it", this.kept ? described(this.kept) : {});
  }

  private read(text: string | undefined): Standing | undefined {
    const bundle = text === undefined ? undefined : parseBundle(text);
    return bundle && standingOf(bundle, this.view, new Date(this.now()));
  }

  /** What is kept, as long as clients can use it. */
  private usable(): Standing | undefined {
    return this.kept && this.now() < this.kept.end ? this.kept : undefined;
  }

  private wantedPem(): string {
    return this.usable()?.bundle.pem ?? readFileSync(this.view.files.placeholder, "utf8");
  }
}

function described({ serial, end, fits }: Standing) {
  return { certificate: serial, notAfter: new Date(end).toISOString(), fits };
}

function readAttempts(file: string): Attempts {
  try {
    const read = JSON.parse(readWhole(file) ?? "{}") as Partial<Attempts>;
    return { ...noAttempts, ...read };
  } catch {
    return noAttempts;
  }
}
