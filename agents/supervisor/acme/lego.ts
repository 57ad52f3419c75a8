import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { AcmeView } from "../../../model/views";
import { run } from "../io";
import type { Bundle } from "./bundle";

/** An authority asks from several places and may take its time. */
const timeoutMs = 300_000;
const lastLines = 4;

/** Folder in which lego keeps what belongs to an account. */
function accountFolder(work: string, { directory, email }: AcmeView): string {
  const server = new URL(directory).host.replaceAll(":", "_");
  return path.join(work, "accounts", server, email);
}

/** What lego said last, for people; it logs no keys. */
function told(error: unknown): string {
  const { stderr = "", message = "" } = error as { stderr?: string; message?: string };
  const lines = stderr.trim().split("\n").filter(Boolean).slice(-lastLines);
  return lines.length > 0 ? lines.join("; ") : message;
}

/**
 * Orders a certificate for all names with a key of its own. The proof is not lego's business:
 * HAProxy answers for every token, so what lego writes for a web server is read by nobody. An
 * account that the authority knows by its key already is found again.
 */
export async function orderCertificate(view: AcmeView): Promise<Bundle> {
  const { files, directory, email, hostnames } = view;
  const [first = ""] = hostnames;
  rmSync(files.work, { recursive: true, force: true });
  const keys = path.join(accountFolder(files.work, view), "keys");
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  try {
    copyFileSync(files.accountKey, path.join(keys, `${email}.key`));
    const options = [
      ...["--accept-tos", "--email", email, "--server", directory, "--path", files.work],
      ...["--http", "--http.webroot", path.join(files.work, "unread"), "--key-type", "ec256"],
      ...hostnames.flatMap((name) => ["--domains", name]),
    ];
    mkdirSync(path.join(files.work, "unread"));
    await run("lego", [...options, "run"], {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      env: {
        PATH: process.env["PATH"],
        ...(files.directoryAuthority !== null && {
          LEGO_CA_CERTIFICATES: files.directoryAuthority,
        }),
      },
    });
    const read = (suffix: string) =>
      readFileSync(path.join(files.work, "certificates", `${first}.${suffix}`), "utf8").trim();
    return { directory, pem: `${read("crt")}\n${read("key")}\n` };
  } catch (error) {
    throw new Error(told(error), { cause: error });
  } finally {
    rmSync(files.work, { recursive: true, force: true });
  }
}
