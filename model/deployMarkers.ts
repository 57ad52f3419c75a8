/*
 * Markers that updates and maintenance leave on the monitoring machines, as files that the node
 * exporter reads. Who and when are in no node's files: they never cause a change.
 */

/** Folder of a machine with files of metrics that something else than a node writes. */
export const metricsFolder = "/var/lib/holdfast/metrics";

/**
 * A shell command that makes its input a file of that folder. Whole or not at all: the exporter may
 * read it at any time.
 */
export const metricsFileFromInput = (file: string) =>
  `mkdir -p ${metricsFolder} && cat >${file}.new && mv ${file}.new ${file}`;

/** A time at which nodes leave and come back. Times in seconds since 1970. */
export interface Marker {
  readonly started: number;
  /** Undefined while it goes on, and where it stopped half-way. */
  readonly finished?: number;
  /** When it stopped half-way, where that is known: who runs it may be gone as well. */
  readonly stopped?: number;
}

/** What was changed. */
export interface Change {
  /** Seconds since 1970. */
  readonly at: number;
  /** What the update was made from, such as a commit. */
  readonly version: string;
  readonly by: string;
  readonly nodes: readonly string[];
}

function metric(name: string, help: string, labels: string, value: number): string {
  const full = `holdfast_deploy_${name}`;
  return `# HELP ${full} ${help}\n# TYPE ${full} gauge\n${full}${labels} ${value}\n`;
}

/** `deploy.prom`: when the last update or maintenance began and ended. */
export function markerFile({ started, finished, stopped }: Marker): string {
  const at = (name: string, help: string, time: number | undefined) =>
    time === undefined ? "" : metric(`${name}_timestamp_seconds`, help, "", time);
  return [
    at("started", "When the last update or maintenance began.", started),
    at("finished", "When it ended; absent while it goes on.", finished),
    at("stopped", "When it stopped half-way; absent where it did not.", stopped),
  ].join("");
}

const quoted = (text: string) =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;

/** `deploy-change.prom`: the last update that changed a node; it stays until the next one. */
export function changeFile({ at, version, by, nodes }: Change): string {
  const labels = `{version=${quoted(version)},by=${quoted(by)},nodes=${quoted(nodes.join(" "))}}`;
  return metric(
    "change_timestamp_seconds",
    "When an update last changed nodes: which, by whom, from what.",
    labels,
    at,
  );
}

interface StepEvent {
  readonly metadata?: { readonly op?: string; readonly type?: string; readonly urn?: string };
}

interface EngineEvent {
  readonly resOutputsEvent?: StepEvent;
  readonly resOpFailedEvent?: StepEvent;
}

const unchanged = ["same", "refresh", "read", "discard"];

/**
 * Keys of the nodes that an update made, replaced or removed, whole or in part, from the engine's
 * event log (one JSON object a line).
 */
export function changedNodes(eventLog: string): readonly string[] {
  const nodes = eventLog.split("\n").flatMap((line) => {
    if (!line.includes('"resOutputsEvent"') && !line.includes('"resOpFailedEvent"')) return [];
    const { resOutputsEvent, resOpFailedEvent } = JSON.parse(line) as EngineEvent;
    const { op = "same", urn = "" } = (resOutputsEvent ?? resOpFailedEvent)?.metadata ?? {};
    const [, node] = /\$docker:index\/container:Container::(.+)-container$/.exec(urn) ?? [];
    return node !== undefined && urn.includes("holdfast:index:Node$") && !unchanged.includes(op)
      ? [node]
      : [];
  });
  return [...new Set(nodes)].sort();
}
