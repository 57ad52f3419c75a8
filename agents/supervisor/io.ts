import { execFile, spawn, type ChildProcess } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { promisify } from "node:util";

/** A line of the node's log, JSON like all others. */
export function log(message: string, details: Readonly<Record<string, unknown>> = {}): void {
  process.stdout.write(
    `${JSON.stringify({ time: new Date().toISOString(), program: "supervisor", message, ...details })}\n`,
  );
}

export const run = promisify(execFile);

/** Starts a program that shares this one's output. */
export function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
  // Without a listener a program that cannot be started would end this one with a stack trace.
  child.on("error", (error) => {
    log(`${command} did not start`, { error: error.message });
    child.emit("exit", 127, null);
  });
  return child;
}

/** Replaces a file's content at once: readers see the old or the new, never a part. */
export function writeWhole(file: string, content: string): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

/** First line of a file, undefined where there is none. */
export function readLine(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").split("\n")[0];
  } catch {
    return undefined;
  }
}

/** Status of a GET on this machine, undefined where nothing answers in time. */
export function statusOf(
  port: number,
  path: string,
  timeoutMs: number,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = http.get(
      { host: "127.0.0.1", port, path, agent: false, timeout: timeoutMs },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}

/** Answer of HAProxy's runtime socket to one line of commands. */
export function askHaproxy(socket: string, commands: string, timeoutMs = 2000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const connection = net.connect(socket, () => connection.end(`${commands}\n`));
    connection.setTimeout(timeoutMs, () =>
      connection.destroy(new Error(`haproxy did not answer in ${timeoutMs} ms`)),
    );
    connection.setEncoding("utf8");
    connection.on("data", (part: string) => (answer += part));
    connection.on("end", () => resolve(answer));
    connection.on("error", reject);
  });
}
