import { once } from "node:events";
import { mkdirSync, rmSync, truncateSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { BackupAgentView, BackupSecrets } from "../../model/views";
import { formatGtidSet, isEmpty, type GtidSet } from "../mysql/gtid";
import { BinlogFile } from "./binlogFile";
import type { Transaction } from "./binlog";
import { dumpFile, dumpHeader } from "./dump";
import { requestFull } from "./full";
import { connectionArguments, writeOptionFile } from "./options";
import * as paths from "./paths";
import { kill, start, type RunningProgram } from "./programs";
import {
  followOn,
  FullTooNew,
  fullsFor,
  periodsFor,
  Selection,
  sinceHistory,
  type FilePlan,
} from "./restorePlan";
import {
  isoTime,
  parsePoint,
  restoreRequest,
  type Point,
  type RestoreRequest,
} from "./restoreRequest";
import { newestOfPeriods, tagOf, timeOf, type Snapshot } from "./retention";
import { segmentsIn, type Segment } from "./segments";
import { Repository } from "./store";
import { Target } from "./target";

const account = "restore";
const say = (line: string) => console.log(line);

/** Binary logs that are to be applied, in their order. */
interface Prepared {
  readonly full: Snapshot;
  readonly files: readonly (FilePlan & { readonly file: string })[];
  readonly selection: Selection;
}

/** Puts a backup into this stack's database, as the request on the standard input says. */
export async function restore(view: BackupAgentView, secrets: BackupSecrets): Promise<void> {
  const { request, release } = await readRequest();
  const point = parsePoint(request.at);
  const authority = view.storeAuthority ?? undefined;
  const fulls = new Repository("full", request.store, authority);
  const logs = new Repository("binlogs", request.store, authority);
  mkdirSync(paths.temporaryFolder, { recursive: true, mode: 0o700 });
  const target = await Target.open(view, account, secrets.restore);
  try {
    // Only now: before, it may be that of a restore under way.
    rmSync(paths.restoreFolder, { recursive: true, force: true });
    await target.requireEmpty(request.force);
    const prepared = await prepare(view.database, point, fulls, logs);
    tell(prepared, point);
    const optionFile = writeOptionFile(account, secrets.restore);
    const mysql = () =>
      start(
        "mysql",
        [
          ...connectionArguments(optionFile, view.primary),
          "--binary-mode",
          "--max-allowed-packet=1G",
        ],
        { stdin: "pipe", quiet: true },
      );
    await target.clear();
    await target.heldWhile(async () => {
      await load(fulls, prepared.full, mysql());
      await apply(prepared, view.database, mysql);
    });
    await target.report(say);
    await askForFull(view);
  } finally {
    release();
    target.close();
    rmSync(paths.restoreFolder, { recursive: true, force: true });
  }
}

/**
 * The request. Its input stays open for as long as somebody waits; where it ends before `release`,
 * nothing goes on without them.
 */
async function readRequest(): Promise<{ request: RestoreRequest; release: () => void }> {
  const lines = createInterface({ input: process.stdin });
  const gone = () => {
    console.error("interrupted: nobody waits for this restore any more");
    process.exit(1);
  };
  lines.once("close", gone);
  const [line] = (await once(lines, "line")) as [string];
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    throw new Error("the request cannot be read");
  }
  const release = () => {
    lines.off("close", gone);
    lines.close();
    process.stdin.destroy();
  };
  return { request: restoreRequest.parse(given), release };
}

async function prepare(
  database: string,
  point: Point,
  fulls: Repository,
  logs: Repository,
): Promise<Prepared> {
  say("looking for the full backup and the binary logs");
  const periods = newestOfPeriods(await logs.snapshots());
  const candidates = fullsFor(await fulls.snapshots(), point);
  for (const full of candidates) {
    try {
      return await prepareFrom(full, database, point, fulls, logs, periods);
    } catch (error) {
      if (!(error instanceof FullTooNew)) throw error;
    }
  }
  throw new Error("AT: every full backup contains something from after it");
}

async function prepareFrom(
  full: Snapshot,
  database: string,
  point: Point,
  fulls: Repository,
  logs: Repository,
  periods: ReadonlyMap<string, Snapshot>,
): Promise<Prepared> {
  const stored = tagOf(full, "database");
  if (stored !== database) {
    throw new Error(`the backup is of database ${stored}, this stack's is ${database}`);
  }
  const history = tagOf(full, "history") ?? "";
  const contained = await containedIn(fulls, full);
  const fetched = new Map<string, Segment[]>();
  let names: string[] = [];
  for (let earlier = 0; ; earlier++) {
    const before = names.length;
    names = periodsFor([...periods.keys()], timeOf(full), point, earlier);
    for (const name of names) {
      const snapshot = periods.get(name);
      if (fetched.has(name) || !snapshot) continue;
      const target = path.join(paths.restoreFolder, name);
      await logs.fetch(snapshot.id, path.join(paths.binlogFolder, name), target);
      fetched.set(name, segmentsIn(target));
    }
    const all = names.flatMap((name) => fetched.get(name) ?? []);
    const segments = sinceHistory(all, history);
    if (followOn(segments, contained)) {
      return select(full, segments, { full: contained, history, point, database });
    }
    if (earlier > 0 && names.length === before) {
      throw new Error("the binary logs do not follow on the full backup: older ones are gone");
    }
  }
}

/** What a full backup contains, by its beginning. */
async function containedIn(fulls: Repository, full: Snapshot): Promise<GtidSet> {
  const print = fulls.startPrint(full.id, `/${dumpFile}`);
  let text = "";
  for await (const part of (print.process.stdout ?? []) as AsyncIterable<Buffer>) {
    text += part.toString("latin1");
    const header = dumpHeader(text);
    if (!header) continue;
    await kill([print]);
    return header.gtids;
  }
  await print.ended;
  throw new Error("the full backup is empty");
}

function select(
  full: Snapshot,
  segments: readonly Segment[],
  args: ConstructorParameters<typeof Selection>[0],
): Prepared {
  const selection = new Selection(args);
  const files: (FilePlan & { file: string })[] = [];
  for (const segment of segments) {
    if (selection.isOver()) break;
    selection.segment(segment);
    for (const file of segment.files) {
      if (selection.isOver()) break;
      const { transactions, end } = readAll(file);
      const plan = selection.file(transactions);
      if (isEmpty(plan.include)) continue;
      // What comes after the last complete transaction would only disturb.
      truncateSync(file, end);
      files.push({ ...plan, file });
    }
  }
  return { full, files, selection };
}

function readAll(file: string): { transactions: Transaction[]; end: number } {
  const reader = new BinlogFile(file);
  const transactions: Transaction[] = [];
  try {
    reader.read((transaction) => transactions.push(transaction));
  } catch (error) {
    // It ends there; if something is missing for that, the next segment tells.
    say(`${path.basename(file)}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { transactions, end: reader.end };
}

function tell({ full, files, selection }: Prepared, point: Point): void {
  const { applied, lastAt, stoppedAt, leftOut } = selection;
  say(`full backup of ${full.time} (snapshot ${full.id.slice(0, 8)})`);
  say(`then ${applied} transactions from ${files.length} binary logs`);
  for (const [kind, number] of leftOut) say(`left out: ${number} ${kind}`);
  if (lastAt !== undefined) say(`the last transaction is of ${isoTime(lastAt)}`);
  if (stoppedAt !== undefined) say(`the first one left out is of ${isoTime(stoppedAt)}`);
  else if (point !== undefined) {
    say("nothing later is in the store: what was written after that, if anything, is not there");
  }
}

async function load(fulls: Repository, full: Snapshot, mysql: RunningProgram): Promise<void> {
  const whole = full.summary?.total_bytes_processed;
  const of = whole ? ` of ${megabytes(whole)}` : "";
  let bytes = 0;
  const timer = setInterval(() => say(`loaded ${megabytes(bytes)}${of}`), 10_000);
  try {
    await join(fulls.startPrint(full.id, `/${dumpFile}`), mysql, (part) => (bytes += part));
  } finally {
    clearInterval(timer);
  }
  say(`loaded ${megabytes(bytes)}`);
}

async function apply(
  { files }: Prepared,
  database: string,
  mysql: () => RunningProgram,
): Promise<void> {
  let done = 0;
  for (const { file, include, givenIn } of files) {
    const rewritten = givenIn.map((name) => `--rewrite-db=${name}->${database}`);
    const binlog = start(
      "mysqlbinlog",
      [
        "--no-defaults",
        "--skip-gtids",
        `--include-gtids=${formatGtidSet(include)}`,
        ...rewritten,
        file,
      ],
      { stdout: "pipe", quiet: true },
    );
    await join(binlog, mysql(), () => undefined);
    say(`applied ${++done} of ${files.length} binary logs`);
  }
}

/** Feeds one program with the output of another; both must end well. */
async function join(
  from: RunningProgram,
  to: RunningProgram,
  onBytes: (count: number) => void,
): Promise<void> {
  const input = to.process.stdin;
  if (!input || !from.process.stdout) throw new Error("a program has no input or output");
  // The end of the program that reads says why.
  input.on("error", () => undefined);
  try {
    from.process.stdout.on("data", (part: Buffer) => onBytes(part.length));
    // The input of the one ends only once the other is known to have said all.
    from.process.stdout.pipe(input, { end: false });
    await Promise.race([from.ended, to.ended.then(() => from.ended)]);
    input.end();
    await to.ended;
  } catch (error) {
    await kill([from, to]);
    throw error;
  }
}

async function askForFull({ agentPort }: BackupAgentView): Promise<void> {
  try {
    await requestFull(agentPort);
    say("this stack's own next full backup begins now");
  } catch {
    say("this node's agent does not answer: no full backup of the restored data begins by itself");
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
