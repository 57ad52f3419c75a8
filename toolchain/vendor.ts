import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./commands";
import { checksumOf } from "./sources";
import { type Tool } from "./versions";

/** A closed network is noticed in this time, once for a whole run. */
const connectMs = 3_000;
const downloadMs = 300_000;

let answer: Promise<boolean> | undefined;

/** Whether release archives can be fetched. Asked once a run; what it learns holds for all tools. */
export function vendorReachable(tool: Tool): Promise<boolean> {
  answer ??= fetch(tool.vendor.checksums, {
    method: "HEAD",
    signal: AbortSignal.timeout(connectMs),
  }).then(
    (response) => response.ok,
    () => false,
  );
  return answer;
}

/** Fetches a tool's release archive, verifies its SHA-256 and unpacks it as `folder`/bin. */
export async function download(tool: Tool, folder: string): Promise<void> {
  const { archive, checksums } = tool.vendor;
  const name = path.basename(archive);
  const expected = checksumOf((await fetchBytes(checksums)).toString("utf8"), name);
  if (expected === undefined) {
    throw new Error(`${checksums} does not list ${name}`);
  }
  const bytes = await fetchBytes(archive);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== expected) {
    throw new Error(`${archive} has the SHA-256 ${found}, its list says ${expected}`);
  }
  mkdirSync(path.dirname(folder), { recursive: true });
  const draft = mkdtempSync(`${folder}.draft-`);
  try {
    const packed = path.join(draft, name);
    writeFileSync(packed, bytes);
    mkdirSync(path.join(draft, "bin"));
    await run("tar", ["-xzf", packed, "-C", path.join(draft, "bin"), "--strip-components=1"]);
    rmSync(packed);
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function fetchBytes(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(downloadMs) });
  if (!response.ok) {
    throw new Error(`${url} answers ${response.status}`);
  }
  return Buffer.from(await response.arrayBuffer());
}
