import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Cron } from "croner";
import type { BackupAgentView, BackupSecrets } from "../../model/views";
import { log, messageOf, within, writeWhole } from "../io";
import { json, serve } from "../server";
import type { Session } from "../mysql/client";
import { contains, emptyGtidSet, type GtidSet } from "../mysql/gtid";
import { takeFull } from "./full";
import { Journal, type Unstored } from "./journal";
import { noLag, withProbe, withStored, type Lag } from "./lag";
import { Metrics } from "./metrics";
import { writeOptionFile } from "./options";
import * as paths from "./paths";
import { Problems } from "./problems";
import { Receiver } from "./receiver";
import { binlogsToForget, byTime, forgetFulls, newestOfPeriods, tagOf, timeOf } from "./retention";
import { retryDelay, whyFull, type TakenFull } from "./schedule";
import { describe, openSession } from "./source";
import { statusOf, type BackupStatus, type Facts } from "./status";
import { Repository, storeAccess } from "./store";

const probeMs = 5000;
const storeMs = 20_000;
const tickMs = 2000;
/** The store of binary logs grows by a snapshot each time: so often the old ones are let go. */
const tidyMs = 3_600_000;
/** Milliseconds for the last binary logs to reach the store when the node stops. */
const lastStoreMs = 20_000;
/** The database account that reads. */
const account = "backup";

/** First process of the backup node: full backups by schedule, binary logs all the time. */
export class Agent {
  private readonly metrics = new Metrics();
  private readonly problems = new Problems(() => this.metrics.lastError.set(Date.now() / 1000));
  private readonly fulls: Repository;
  private readonly logs: Repository;
  private readonly cron: Cron;
  private readonly startedAt = Date.now();
  private readonly stopping = new AbortController();
  private journal: Journal | undefined;
  private receiver: Receiver | undefined;
  private storeOpen = false;
  private newest: TakenFull | undefined;
  private asked = false;
  private failures = 0;
  private retryAt = 0;
  private stored: GtidSet = emptyGtidSet;
  private lag: Lag = noLag;
  private behindSince: number | undefined;
  private session: Session | undefined;
  /** The full backup that is being taken. */
  private taking: Promise<unknown> | undefined;

  constructor(
    private readonly view: BackupAgentView,
    private readonly secrets: BackupSecrets,
  ) {
    const access = storeAccess(view.store, secrets);
    const authority = view.storeAuthority ?? undefined;
    this.fulls = new Repository("full", access, authority);
    this.logs = new Repository("binlogs", access, authority);
    this.cron = new Cron(view.schedule, { paused: true, timezone: "UTC" });
  }

  /** Runs until SIGTERM. */
  async run(): Promise<void> {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => void this.stop());
    }
    this.serve();
    for (const folder of [paths.cacheFolder, paths.temporaryFolder]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    const optionFile = writeOptionFile(account, this.secrets.backup);
    setInterval(() => writeWhole(paths.healthFile, "ok\n"), tickMs);
    await this.openStore();
    const journal = new Journal(paths.binlogFolder);
    this.journal = journal;
    this.receiver = new Receiver({
      journal,
      from: this.view.primary,
      optionFile,
      serverId: this.view.serverId,
      openSession: () => openSession(this.view.primary, account, this.secrets.backup),
      behindSince: () => this.behindSince,
      onProblem: (problem) => this.problems.report("reception", problem),
      onHistory: (reason) => {
        this.metrics.histories.inc();
        log("a new history begins", { reason });
      },
    });
    this.receiver.start();
    log("started", { node: this.view.node });
    this.every(probeMs, () => this.probe(journal));
    this.every(storeMs, () => this.store(journal));
    this.every(tidyMs, () => this.tidy());
    this.every(tickMs, () => this.takeFullIfDue(journal, optionFile));
  }

  status(): BackupStatus {
    return statusOf(this.facts());
  }

  private facts(): Facts {
    return {
      node: this.view.node,
      now: Date.now(),
      startedAt: this.startedAt,
      draining: this.stopping.signal.aborted,
      storeOpen: this.storeOpen,
      receiving: this.receiver?.receiving ?? false,
      storedUpTo: this.lag.storedUpTo,
      lastFullAt: this.newest?.at,
      problem: this.problems.current,
    };
  }

  /** Does the work again and again, never twice at a time. */
  private every(ms: number, work: () => Promise<void>): void {
    const { signal } = this.stopping;
    void (async () => {
      while (!signal.aborted) {
        await work();
        await sleep(ms, undefined, { signal }).catch(() => undefined);
      }
    })();
  }

  private async openStore(): Promise<void> {
    for (let failures = 0; !this.storeOpen;) {
      try {
        await Promise.all([this.fulls.open(), this.logs.open()]);
        await this.recall();
        this.storeOpen = true;
        this.problems.over("store");
      } catch (error) {
        this.problems.report("store", messageOf(error));
        await sleep(Math.min(retryDelay(++failures), 60_000));
      }
    }
  }

  /** Learns from the store what an earlier node has left there. */
  private async recall(): Promise<void> {
    const full = byTime(await this.fulls.snapshots()).at(-1);
    const history = full && tagOf(full, "history");
    if (full && history !== undefined) this.newest = { at: timeOf(full), history };
    if (existsSync(paths.binlogFolder) && readdirSync(paths.binlogFolder).length > 0) return;
    const [name, snapshot] = [...newestOfPeriods(await this.logs.snapshots())].at(-1) ?? [];
    if (name === undefined || !snapshot) return;
    log("continuing from the store: this machine has no binary logs", { period: name });
    // A folder that is there counts as whole.
    const half = path.join(paths.temporaryFolder, "recalled");
    rmSync(half, { recursive: true, force: true });
    await this.logs.fetch(snapshot.id, path.join(paths.binlogFolder, name), path.join(half, name));
    rmSync(paths.binlogFolder, { recursive: true, force: true });
    renameSync(half, paths.binlogFolder);
  }

  /** Asks the primary what it has executed: what is stored is compared with that. */
  private async probe(journal: Journal): Promise<void> {
    try {
      this.session ??= await openSession(this.view.primary, account, this.secrets.backup);
      const at = Date.now();
      const { executed } = await describe(this.session);
      this.lag = withProbe(this.lag, { at, executed }, this.stored);
      const covered = journal.held?.covered;
      const behind = covered && !contains(covered, executed);
      this.behindSince = behind ? (this.behindSince ?? performance.now()) : undefined;
      this.problems.over("primary");
      if (!behind && this.receiver?.receiving) this.problems.over("reception");
    } catch (error) {
      this.session?.destroy();
      this.session = undefined;
      this.behindSince = undefined;
      this.problems.report("primary", messageOf(error));
    }
  }

  private async store(journal: Journal): Promise<void> {
    const open = journal.unstored();
    if (!open) return;
    try {
      await this.storeEach(open.periods);
      this.stored = open.covered;
      this.lag = withStored(this.lag, this.stored);
      journal.prune();
      this.metrics.stores.inc({ result: "success" });
      this.problems.over("storing binary logs");
    } catch (error) {
      this.metrics.stores.inc({ result: "failure" });
      this.problems.report("storing binary logs", messageOf(error));
    }
  }

  /** One that cannot be stored holds up no other. */
  private async storeEach(periods: Unstored["periods"]): Promise<void> {
    const problems: unknown[] = [];
    for (const { folder, done } of periods) {
      await this.logs.store(folder).then(done, (error: unknown) => problems.push(error));
    }
    if (problems.length > 0) throw problems[0];
  }

  /** Lets go what is in the store of binary logs and nobody needs. */
  private async tidy(): Promise<void> {
    try {
      const [oldest] = byTime(await this.fulls.snapshots());
      const gone = binlogsToForget(await this.logs.snapshots(), oldest && timeOf(oldest));
      if (gone.length > 0) {
        await this.logs.maintain(["forget", ...gone], ["prune", "--repack-small"]);
      }
      this.problems.over("retention of binary logs");
    } catch (error) {
      this.problems.report("retention of binary logs", messageOf(error));
    }
  }

  private async takeFullIfDue(journal: Journal, optionFile: string): Promise<void> {
    const { history, base } = journal;
    const lastRun = this.cron.previousRuns(1, new Date())[0]?.getTime();
    const why = whyFull({ newest: this.newest, history, lastRun, asked: this.asked });
    if (why === undefined || history === undefined || !base || Date.now() < this.retryAt) return;
    const { signal } = this.stopping;
    const at = Date.now();
    this.asked = false;
    log("full backup begins", { reason: why });
    const { database, replicas: from } = this.view;
    const repository = this.fulls;
    try {
      const taking = takeFull({ database, from, optionFile, repository, history, base, signal });
      this.taking = taking;
      const { snapshot, bytes } = await taking;
      if (journal.history !== history) {
        await repository.maintain(["forget", snapshot]);
        throw new Error("the database began anew meanwhile");
      }
      const seconds = (Date.now() - at) / 1000;
      log("full backup is complete", { snapshot, bytes, seconds });
      this.newest = { at, history };
      this.failures = 0;
      this.metrics.fulls.inc({ result: "success" });
      this.metrics.fullSeconds.set(seconds);
      this.metrics.fullBytes.set(bytes);
      this.problems.over("full backup");
      this.receiver?.beginPeriod();
    } catch (error) {
      if (signal.aborted) return;
      this.asked = why === "it was asked for" || this.asked;
      this.retryAt = Date.now() + retryDelay(++this.failures);
      this.metrics.fulls.inc({ result: "failure" });
      this.problems.report("full backup", messageOf(error));
      return;
    }
    try {
      await this.fulls.maintain(forgetFulls(this.view.retentionDays), ["prune"]);
      this.problems.over("retention of full backups");
    } catch (error) {
      this.problems.report("retention of full backups", messageOf(error));
    }
    await this.tidy();
  }

  private async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    await Promise.allSettled([this.taking, this.receiver?.stop()]);
    const { journal } = this;
    if (journal && this.storeOpen) {
      await within(lastStoreMs, this.store(journal), () => undefined).catch((error: unknown) =>
        log("the last binary logs are not in the store yet", { error: messageOf(error) }),
      );
    }
    log("stopped", { behindSeconds: this.status().behindSeconds });
    process.exit(0);
  }

  private serve(): void {
    const { address, agentPort: port, tls, node } = this.view;
    serve(
      { address, port, tls },
      {
        "/healthz": () => json(200, { node }),
        "/readyz": () => {
          const status = this.status();
          return json(status.ready ? 200 : 503, status);
        },
        "/status": () => json(200, this.status()),
        "/metrics": async () => ({
          status: 200,
          type: this.metrics.contentType,
          body: await this.metrics.text(
            this.facts(),
            this.journal?.received ?? 0,
            this.receiver?.interruptions ?? 0,
          ),
        }),
      },
      {
        "/full": () => {
          this.asked = true;
          this.retryAt = 0;
          return json(202, { asked: true });
        },
      },
    );
  }
}
