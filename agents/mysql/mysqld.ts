import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { log, relayLines } from "../io";
import { mysqldLogEntry } from "./mysqldLog";
import * as paths from "./paths";

/** Exit code by which mysqld asks to be started again, as it does after a clone. */
const restartAsked = 16;
/** Milliseconds that it must have run for its end to count as the first of a row. */
const soundMs = 60_000;

/**
 * The accounts that mysqld itself makes are replaced by one that only this node's own processes can
 * use: by the socket, as the system's user mysql. There is no other administrator.
 */
const firstStatements = `INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
CREATE USER agent@localhost IDENTIFIED WITH auth_socket AS 'mysql';
GRANT ALL PRIVILEGES ON *.* TO agent@localhost WITH GRANT OPTION;
DROP USER root@localhost;
`;

/** Makes the data folder where there is none yet. */
export async function prepareData(): Promise<void> {
  mkdirSync(paths.temporaryFolder, { recursive: true });
  if (existsSync(paths.dataFolder)) return;
  log("no data yet: making an empty database");
  rmSync(paths.newDataFolder, { recursive: true, force: true });
  writeFileSync(paths.firstStatements, firstStatements);
  await promisify(execFile)(
    "mysqld",
    [
      // Its own configuration asks for a group, which is not there yet.
      "--no-defaults",
      "--initialize-insecure",
      `--datadir=${paths.newDataFolder}`,
      "--secure-file-priv=NULL",
      "--auto-generate-certs=OFF",
      "--caching-sha2-password-auto-generate-rsa-keys=OFF",
      "--loose-innodb-numa-interleave=OFF",
      `--init-file=${paths.firstStatements}`,
    ],
    { maxBuffer: 16 * 1024 * 1024 },
  );
  rmSync(paths.firstStatements);
  renameSync(paths.newDataFolder, paths.dataFolder);
}

/** mysqld as a child process, started again whenever it ends unasked. */
export class Mysqld {
  private child: ChildProcess | undefined;
  private startedAt = 0;
  private stopping = false;
  private restarting = false;
  /** Ends in a row, each soon after the start. */
  private quickEnds = 0;

  constructor(
    private readonly listeners: {
      /** It ended, asked to or not, and is started again. */
      readonly onEnd: () => void;
      /** It ended unasked, so many times in a row soon after the start. */
      readonly onUnaskedEnd: (quickEnds: number) => void;
    },
  ) {}

  get running(): boolean {
    return this.child !== undefined;
  }

  /** Milliseconds since the start. */
  get ranMs(): number {
    return performance.now() - this.startedAt;
  }

  start(): void {
    const child = spawn("mysqld", [`--defaults-file=${paths.mysqldConfig}`], {
      stdio: ["ignore", "pipe", "pipe"],
      // Tells mysqld that somebody starts it again: it may then ask for it, as it must after a clone.
      env: { ...process.env, MYSQLD_PARENT_PID: String(process.pid) },
    });
    this.child = child;
    this.startedAt = performance.now();
    relayLines(child, mysqldLogEntry);
    child.on("error", (error) => log("mysqld did not start", { error: error.message }));
    child.on("close", (code, signal) => this.ended(code, signal));
  }

  private ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.child = undefined;
    if (this.stopping) return;
    this.listeners.onEnd();
    const asked = code === restartAsked || this.restarting;
    this.restarting = false;
    this.quickEnds = asked || this.ranMs > soundMs ? 0 : this.quickEnds + 1;
    log(asked ? "mysqld is started again" : "mysqld ended unasked", { code, signal });
    if (!asked) this.listeners.onUnaskedEnd(this.quickEnds);
    setTimeout(
      () => {
        if (!this.stopping) this.start();
      },
      Math.max(0, this.quickEnds - 1) * 1000,
    );
  }

  /** Ends it at once, to start it again: it loses nothing that it has acknowledged. */
  async restart(): Promise<void> {
    this.restarting = true;
    await this.end("SIGKILL");
  }

  /** Ends it for good. Resolves when it has ended. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.stopping = true;
    await this.end(signal);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill(signal);
    await ended;
  }
}
