import type { BackupSecrets } from "../../model/views";
import * as paths from "./paths";
import { output, ProgramError, start, type ProgramOptions, type RunningProgram } from "./programs";
import type { Snapshot } from "./retention";

/** Where backups are kept, and what it takes to read them. */
export interface StoreAccess {
  /** restic's name of the place; the repositories are below it. */
  readonly repository: string;
  readonly password: string;
  /** Environment of restic: keys of an S3 store, name and password of a REST server. */
  readonly environment: Readonly<Record<string, string>>;
}

export function storeAccess(store: string, secrets: BackupSecrets): StoreAccess {
  const { password, environment } = secrets.store;
  return { repository: store, password, environment };
}

/** restic's exit codes. */
const exit = { noRepository: 10, wrongPassword: 12 } as const;

/** restic tries for a quarter of an hour where a store is away; so long it may take to say so. */
const answerMs = 30_000;
/** Milliseconds that the list of snapshots may take: after an outage it has to be fetched whole. */
const snapshotsMs = 120_000;
/**
 * Milliseconds that binary logs may take to reach the store before it is tried anew: much more than
 * the ten minutes after which restic notes what it has stored, or a long backlog would never be over.
 */
const storeMs = 3_600_000;

/** Why restic failed, without what it says around it. Pure. */
export function reasonOf(said: readonly string[]): string {
  const retried = said.findLast((line) => line.includes(" retrying after "));
  const fatal = said.findLast((line) => line.includes("Fatal: "));
  const line =
    retried?.replace(/^.* retrying after [^:]*: /, "") ?? fatal?.replace(/^.*Fatal: /, "");
  return line ?? (said.join(" | ") || "restic said nothing");
}

/** Name under which all is stored, whichever machine it came from. */
const host = "holdfast";

/** Thrown where restic failed. */
class StoreError extends Error {
  constructor(
    readonly exitCode: number | null,
    readonly reason: string,
  ) {
    super(`store: ${reason}`);
  }
}

/** A restic repository; what changes it takes turns. */
export class Repository {
  private turn: Promise<unknown> = Promise.resolve();
  private readonly environment: Readonly<Record<string, string>>;

  constructor(
    readonly name: "full" | "binlogs",
    access: StoreAccess,
    private readonly authority: string | undefined,
  ) {
    this.environment = {
      ...access.environment,
      RESTIC_REPOSITORY: `${access.repository.replace(/\/+$/, "")}/${name}`,
      RESTIC_PASSWORD: access.password,
      RESTIC_CACHE_DIR: paths.cacheFolder,
      RESTIC_PROGRESS_FPS: "0.1",
      TMPDIR: paths.temporaryFolder,
    };
  }

  /** Makes sure that it is there and ours. Throws saying what is wrong. */
  async open(): Promise<void> {
    try {
      await this.output(["cat", "config"], answerMs);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const { exitCode, reason } = error;
      if (exitCode === exit.wrongPassword) {
        throw new Error("the store holds a repository with another password: another stack's");
      }
      // A bucket that is not there yet is made with the first repository.
      if (exitCode !== exit.noRepository && !/bucket does not exist/.test(reason)) throw error;
      await this.output(["init"], answerMs);
    }
    await this.unlock();
  }

  /** Removes locks of processes of this node that are dead; those of others are left alone. */
  private async unlock(): Promise<void> {
    await this.output(["unlock"], answerMs);
  }

  async snapshots(): Promise<readonly Snapshot[]> {
    return JSON.parse(
      await this.output(["snapshots", "--json", "--no-lock"], snapshotsMs),
    ) as Snapshot[];
  }

  /** Stores a folder as a snapshot of its own. */
  async store(folder: string): Promise<void> {
    await this.inTurn(async () => {
      await this.output(["backup", "--host", host, "--quiet", folder], storeMs);
    });
  }

  /** Starts to store what its standard input says under that name. */
  startStream(file: string, tags: readonly string[]): RunningProgram {
    const tagged = tags.flatMap((tag) => ["--tag", tag]);
    return this.start(
      ["backup", "--host", host, "--json", "--stdin", "--stdin-filename", file, ...tagged],
      { stdin: "pipe", stdout: "pipe" },
    );
  }

  /** Starts to print a stored file. */
  startPrint(snapshot: string, file: string): RunningProgram {
    return this.start(["dump", "--no-lock", snapshot, file], { stdout: "pipe", quiet: true });
  }

  /** Fetches a stored folder to that place. */
  async fetch(snapshot: string, folder: string, target: string): Promise<void> {
    await this.output(["restore", "--no-lock", `${snapshot}:${folder}`, "--target", target]);
  }

  /** Runs commands that change what is there, such as `forget`; one after the other. */
  async maintain(...commands: readonly (readonly string[])[]): Promise<void> {
    await this.inTurn(async () => {
      await this.unlock();
      for (const command of commands) await this.output(["--retry-lock", "5m", ...command]);
    });
  }

  private async inTurn(work: () => Promise<void>): Promise<void> {
    const before = this.turn;
    const mine = (async () => {
      await before.catch(() => undefined);
      await work();
    })();
    this.turn = mine;
    await mine;
  }

  private arguments(args: readonly string[]): string[] {
    return [...(this.authority ? ["--cacert", this.authority] : []), ...args];
  }

  private async output(args: readonly string[], limitMs?: number): Promise<string> {
    try {
      return await output("restic", this.arguments(args), this.environment, limitMs);
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      throw new StoreError(error.exitCode, reasonOf(error.said));
    }
  }

  private start(
    args: readonly string[],
    options: Omit<ProgramOptions, "environment">,
  ): RunningProgram {
    return start("restic", this.arguments(args), { ...options, environment: this.environment });
  }
}
