import {
  firstWords,
  type BalancerObservation,
  type NodeObservation,
  type ServerState,
  type Service,
} from "../model/gate";
import { ssh, type SshTarget } from "./ssh";

/** Where a node's container is. */
export interface NodeTarget {
  readonly node: string;
  readonly machine: SshTarget;
}

/** Where a load balancer is, and the port on which it tells its servers. */
export interface BalancerTarget extends NodeTarget {
  readonly statusPort: number;
}

interface Status {
  readonly ready: boolean;
  readonly reason?: string;
  readonly forming?: boolean;
  readonly draining?: boolean;
  readonly servers?: readonly ServerState[];
}

interface HttpAnswer {
  readonly code: number;
  readonly body: string;
}

/**
 * A GET asked from the machine itself, or undefined where nothing answers. By means of bash: machines
 * may lack curl, and a program started in the container would cost those it serves more.
 */
async function get(
  machine: SshTarget,
  address: string,
  port: number,
  path: string,
): Promise<HttpAnswer | undefined> {
  const { stdout } = await ssh(
    machine,
    `timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/${port} && printf "GET ${path} HTTP/1.0\\r\\nHost: ${address}\\r\\nConnection: close\\r\\n\\r\\n" >&3 && head -c 65536 <&3' 2>/dev/null`,
    { timeoutSeconds: 10 },
  );
  const [head = "", ...body] = stdout.split("\r\n\r\n");
  const code = /^HTTP\/1\.[01] (\d{3}) /.exec(head)?.[1];
  return code === undefined ? undefined : { code: Number(code), body: body.join("\r\n\r\n") };
}

/** The node's own report, or undefined where it does not answer. */
async function statusOf(machine: SshTarget, port: number): Promise<Status | undefined> {
  const answer = await get(machine, "127.0.0.1", port, "/status");
  try {
    return answer?.code === 200 ? (JSON.parse(answer.body) as Status) : undefined;
  } catch {
    return undefined;
  }
}

/** Looks at a node on its machine. */
export async function observeNode(
  target: NodeTarget & { readonly address: string },
  service: Service,
): Promise<NodeObservation> {
  const { node, machine, address } = target;
  const { statusPort, probe } = service;
  const [{ exitCode, stdout }, status, answer] = await Promise.all([
    ssh(
      machine,
      `docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}{{with .State.Health}} {{.Status}}{{end}}' ${node}`,
      { timeoutSeconds: 10 },
    ),
    statusPort === undefined ? undefined : statusOf(machine, statusPort),
    probe && get(machine, probe.loopback ? "127.0.0.1" : address, probe.port, probe.path),
  ]);
  const [state, restarts, code, health] = stdout.trim().split(" ");
  const container =
    exitCode === 0 && state
      ? { state, restarts: Number(restarts), exitCode: Number(code), health }
      : undefined;
  return {
    node,
    reachable: exitCode !== 255,
    container,
    ready: status?.ready,
    reason: status?.reason ?? (answer && answer.code !== 200 ? firstWords(answer.body) : undefined),
    forming: status?.forming,
    probe: answer?.code,
  };
}

/** Asks a load balancer for its servers. One that is leaving service is no longer a user of any. */
export async function observeBalancer({
  node,
  machine,
  statusPort,
}: BalancerTarget): Promise<BalancerObservation> {
  const status = await statusOf(machine, statusPort);
  return { node, servers: status?.draining ? undefined : status?.servers };
}

/** The last lines a node logged, for messages. */
export async function lastLogLines({ node, machine }: NodeTarget, lines = 10): Promise<string> {
  const { stdout, stderr } = await ssh(machine, `docker logs --tail ${lines} ${node} 2>&1`);
  return stdout || stderr || "(no log)";
}
