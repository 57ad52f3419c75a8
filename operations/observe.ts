import type { BalancerObservation, NodeObservation, ServerState, Service } from "../model/gate";
import { ssh, type SshTarget } from "./ssh";

/** Where a node's container is. */
export interface NodeTarget {
  readonly node: string;
  readonly machine: SshTarget;
}

interface Status {
  readonly ready: boolean;
  readonly draining?: boolean;
  readonly servers?: readonly ServerState[];
}

/** Bash on the machine that prints the status code of a GET, or nothing; machines may lack curl. */
function probeScript(address: string, port: number, path: string): string {
  return `timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/${port} && printf "GET ${path} HTTP/1.0\\r\\nHost: ${address}\\r\\n\\r\\n" >&3 && read -r _ code _ <&3 && echo "$code"' 2>/dev/null`;
}

/** The node's own `status` report, or undefined where it has none or does not answer. */
async function statusOf({ node, machine }: NodeTarget): Promise<Status | undefined> {
  const { exitCode, stdout } = await ssh(machine, `timeout 5 docker exec ${node} status`, {
    timeoutSeconds: 10,
  });
  if (exitCode !== 0) return undefined;
  try {
    return JSON.parse(stdout) as Status;
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
  const { exitCode, stdout } = await ssh(
    machine,
    `docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' ${node}`,
    { timeoutSeconds: 10 },
  );
  const [state, restarts, code] = stdout.trim().split(" ");
  const container =
    exitCode === 0 && state
      ? { state, restarts: Number(restarts), exitCode: Number(code) }
      : undefined;
  const running = container?.state === "running";
  const [status, probe] = await Promise.all([
    running && service.status ? statusOf(target) : undefined,
    running && service.probe
      ? ssh(machine, probeScript(address, service.probe.port, service.probe.path))
      : undefined,
  ]);
  return {
    node,
    reachable: exitCode !== 255,
    container,
    ready: status?.ready,
    probe: probe?.stdout.trim() ? Number(probe.stdout.trim()) : undefined,
  };
}

/** Asks a load balancer for its servers. One that is leaving service is no longer a user of any. */
export async function observeBalancer(target: NodeTarget): Promise<BalancerObservation> {
  const status = await statusOf(target);
  return { node: target.node, servers: status?.draining ? undefined : status?.servers };
}

/** The last lines a node logged, for messages. */
export async function lastLogLines({ node, machine }: NodeTarget, lines = 10): Promise<string> {
  const { stdout, stderr } = await ssh(machine, `docker logs --tail ${lines} ${node} 2>&1`);
  return stdout || stderr || "(no log)";
}
