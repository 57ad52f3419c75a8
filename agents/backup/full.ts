import { once } from "node:events";
import { createInterface } from "node:readline";
import { contains, type GtidSet } from "../mysql/gtid";
import { dumpArguments, dumpFile, dumpHeader, type DumpHeader } from "./dump";
import { connectionArguments, type Endpoint } from "./options";
import { kill, start, type RunningProgram } from "./programs";
import type { Repository } from "./store";

export interface FullArgs {
  readonly database: string;
  readonly from: Endpoint;
  /** Option file of the account. */
  readonly optionFile: string;
  readonly repository: Repository;
  /** The history that it belongs to, and what it must contain for its binary logs to fit. */
  readonly history: string;
  readonly base: GtidSet;
  readonly signal: AbortSignal;
}

/** A full backup that was taken. */
export interface Full {
  readonly snapshot: string;
  readonly bytes: number;
}

/** Asks the agent of this node for a full backup; returns before it is taken. */
export async function requestFull(agentPort: number): Promise<void> {
  await fetch(`http://127.0.0.1:${agentPort}/full`, {
    method: "POST",
    signal: AbortSignal.timeout(5000),
  });
}

/** Tags of a full backup. */
export const fullTags = (history: string, database: string): string[] => [
  `history=${history}`,
  `database=${database}`,
];

/** Takes a full backup. Whatever fails, no part of one is left in the store. */
export async function takeFull(args: FullArgs): Promise<Full> {
  const dump = start(
    "mysqldump",
    [...connectionArguments(args.optionFile, args.from), ...dumpArguments(args.database)],
    { stdout: "pipe" },
  );
  const running = [dump];
  const end = () => void kill(running);
  args.signal.addEventListener("abort", end, { once: true });
  try {
    if (!dump.process.stdout) throw new Error("mysqldump has no output");
    const parts = dump.process.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    const header = await readHeader(parts, dump);
    if (!contains(header.gtids, args.base)) {
      throw new Error("the replica lags behind what was received; trying again");
    }
    const tags = fullTags(args.history, args.database);
    const restic = args.repository.startStream(dumpFile, tags);
    running.push(restic);
    args.signal.throwIfAborted();
    const summary = readSummary(restic);
    const bytes = await pump(header, parts, dump, restic);
    await restic.ended;
    const snapshot = await summary;
    if (!snapshot) throw new Error("restic stored the dump and did not name its snapshot");
    return { snapshot, bytes };
  } catch (error) {
    // The store must not take the end of its input for the end of the dump.
    await kill(running);
    throw args.signal.aborted ? new Error("the full backup was interrupted") : error;
  } finally {
    args.signal.removeEventListener("abort", end);
  }
}

async function readHeader(
  parts: AsyncIterator<Buffer, undefined>,
  dump: RunningProgram,
): Promise<DumpHeader> {
  let text = "";
  for (;;) {
    const part = await parts.next();
    if (part.done) {
      await dump.ended;
      throw new Error("the dump is empty");
    }
    // One character a byte: what follows the header is handed on as it came.
    text += part.value.toString("latin1");
    const header = dumpHeader(text);
    if (header) return header;
  }
}

/** Hands the dump over; its input ends only once the dump is known to be whole. */
async function pump(
  header: DumpHeader,
  parts: AsyncIterator<Buffer, undefined>,
  dump: RunningProgram,
  restic: RunningProgram,
): Promise<number> {
  const input = restic.process.stdin;
  if (!input) throw new Error("restic has no input");
  // A failure to write is followed by the end of the program, which says why.
  input.on("error", () => undefined);
  let bytes = 0;
  const write = async (part: Buffer) => {
    bytes += part.length;
    if (!input.write(part)) await Promise.race([once(input, "drain"), restic.ended]);
  };
  await write(Buffer.from(header.text, "latin1"));
  for (;;) {
    const part = await Promise.race([parts.next(), restic.ended.then(() => undefined)]);
    if (!part) throw new Error("restic ended before the dump did");
    if (part.done) break;
    await write(part.value);
  }
  await dump.ended;
  input.end();
  return bytes;
}

/** Id of the snapshot that restic has made, from its last message. */
async function readSummary({ process: child }: RunningProgram): Promise<string | undefined> {
  if (!child.stdout) return undefined;
  let snapshot: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"summary"')) continue;
    const { snapshot_id } = JSON.parse(line) as { snapshot_id?: string };
    snapshot = snapshot_id;
  }
  return snapshot;
}
