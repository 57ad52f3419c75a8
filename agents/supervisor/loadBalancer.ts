import { spawn } from "node:child_process";
import dgram from "node:dgram";
import { accessSync, constants, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { LoadBalancerSupervisorView } from "../../model/views";
import { json, line, serve } from "../server";
import { serveCertificate } from "./acme/exchange";
import { CertificateKeeper } from "./acme/keeper";
import { initialState, next, type BalancerAction, type BalancerEvent } from "./balancerLifecycle";
import { balancerMetrics } from "./balancerMetrics";
import { parseShowStat, type Server } from "./haproxyStats";
import { askHaproxy, log, readLine, run, start, statusOf, writeWhole } from "./io";
import * as paths from "./paths";
import {
  hasElements,
  heard,
  heartbeatIntervalMs,
  isAlive,
  mustClear,
  parseConnections,
  unheard,
} from "./peer";

const probeIntervalMs = 250;
const probeTimeoutMs = 400;
/** Failed probes after which the virtual addresses are given up, and HAProxy is given up. */
const probesUntilUnfit = 2;
const probesUntilKill = 40;
const healthIntervalMs = 2000;
/** How often each looks whether the other has a newer certificate. */
const certificateIntervalMs = 5000;
/** How long keepalived may take to hand the virtual addresses over. */
const handOverMs = 300;

const table = ["ip", "holdfast_second_chance"] as const;

/** Kernel settings of the machine's network, relative to /proc/sys/net. */
const sysctls: Readonly<Record<string, string>> = {
  // The addresses on `lo` are never answered for; only the holder has them on the interface.
  "ipv4/conf/all/arp_ignore": "1",
  "ipv4/conf/all/arp_announce": "2",
  // Without this an unknown connection in mid-life would count as a new one.
  "netfilter/nf_conntrack_tcp_loose": "0",
  // Only unknown connections may count as invalid, never a known one with odd numbers.
  "netfilter/nf_conntrack_tcp_be_liberal": "1",
  // Many short connections: their entries would fill the table for two minutes each.
  "netfilter/nf_conntrack_tcp_timeout_time_wait": "30",
};

function setSysctls(): void {
  for (const [name, wanted] of Object.entries(sysctls)) {
    const files = paths.sysctlFolders.map((folder) => path.join(folder, name));
    for (const file of files) {
      if (readLine(file) === wanted) break;
      try {
        accessSync(file, constants.W_OK);
        writeFileSync(file, wanted);
        break;
      } catch {
        // Read-only here; the next folder may be writable.
      }
    }
    const found = readLine(`/proc/sys/net/${name}`);
    if (found !== wanted) {
      throw new Error(
        `kernel setting net/${name}: found ${found ?? "nothing"}, wanted ${wanted}; set it on the machine or mount its /proc/sys/net at ${paths.sysctlFolders[0]}`,
      );
    }
  }
}

async function removeAddresses(config: LoadBalancerSupervisorView): Promise<void> {
  for (const address of config.virtualAddresses) {
    // Fails where the address is not there, which is what is wanted.
    await run("ip", ["address", "del", `${address}/32`, "dev", config.interface]).catch(
      () => undefined,
    );
  }
}

async function prepareNetwork(config: LoadBalancerSupervisorView): Promise<void> {
  await removeAddresses(config);
  setSysctls();
  for (const address of config.virtualAddresses) {
    await run("ip", ["address", "replace", `${address}/32`, "dev", "lo"]);
  }
  await run("nft", ["-f", paths.secondChanceRules]);
}

const listSet = async (name: string): Promise<string> =>
  (await run("nft", ["-j", "list", "set", ...table, name], { maxBuffer: 64 * 1024 * 1024 })).stdout;

/**
 * Ends the connections that a dead peer held. Their clients may have nothing left to send and would
 * wait for an answer for ever; a packet that makes no sense to them is answered with their true
 * sequence numbers, and that answer meets the reset of second chance.
 */
async function clearPeerConnections(): Promise<void> {
  const connections = parseConnections(await listSet("peer_connections"));
  if (connections.length === 0) return;
  log("peer is gone: resetting the connections it held", { connections: connections.length });
  const child = spawn(paths.provoker, { stdio: ["pipe", "inherit", "inherit"] });
  child.on("error", (error) => log("provoker did not start", { error: error.message }));
  child.stdin.on("error", () => undefined);
  child.stdin.end(
    connections
      .map(
        ({ address, port, client, clientPort }) => `${address} ${port} ${client} ${clientPort}\n`,
      )
      .join(""),
  );
  await new Promise((resolve) => child.once("close", resolve));
  await run("nft", ["flush", "set", ...table, "peer_connections"]);
}

/** Runs HAProxy and keepalived until SIGTERM, then hands over, drains and exits. */
export async function superviseLoadBalancer(config: LoadBalancerSupervisorView): Promise<void> {
  let state = initialState(config.peer !== null);
  let heartbeat = true;
  let failedProbes = 0;
  let allChecked = false;
  let peer = unheard;
  let released: Promise<void> | undefined;

  mkdirSync(paths.runFolder, { recursive: true });
  for (const file of [
    paths.drainingFlag,
    paths.vrrpStateFile,
    paths.healthFile,
    paths.haproxySocket,
    "/run/keepalived.pid",
    "/run/vrrp.pid",
  ]) {
    rmSync(file, { force: true });
  }
  writeWhole(paths.trackFile, "-254\n");
  await prepareNetwork(config);

  const keeper =
    config.acme &&
    new CertificateKeeper(config.acme, {
      holdsAddress: () => state.phase === "serving" && readLine(paths.vrrpStateFile) === "MASTER",
      askHaproxy: (command) => askHaproxy(paths.haproxySocket, command),
    });
  keeper?.prepare();

  const haproxy = start("haproxy", ["-W", "-db", "-f", paths.haproxyConfig]);
  const keepalived = start("keepalived", [
    "--dont-fork",
    "--log-console",
    "--vrrp",
    "--use-file",
    paths.keepalivedConfig,
  ]);
  haproxy.on("exit", (code, signal) => {
    log("haproxy exited", { code, signal });
    handle({ kind: "haproxy exited" });
  });
  keepalived.on("exit", (code, signal) => {
    log("keepalived exited", { code, signal });
    handle({ kind: "keepalived exited" });
  });

  /** Once: keepalived first, as it also announces what it removes. */
  function releaseAddresses(): Promise<void> {
    released ??= new Promise<void>((resolve) => setTimeout(resolve, handOverMs)).then(() =>
      removeAddresses(config),
    );
    return released;
  }

  async function exit(code: number): Promise<void> {
    await releaseAddresses();
    log("supervisor exits", { code });
    // keepalived ends with its first process; it holds nothing any more.
    process.exit(code);
  }

  function perform(action: BalancerAction): void {
    switch (action.kind) {
      case "offer":
        // Not replaced but rewritten: keepalived watches the file itself.
        writeFileSync(paths.trackFile, action.fit ? "0\n" : "-254\n");
        break;
      case "announce close":
        writeWhole(paths.drainingFlag, "");
        askHaproxy(
          paths.haproxySocket,
          "experimental-mode on; set var proc.draining bool(true)",
        ).then(
          (answer) => answer.trim() && log("haproxy answered", { answer: answer.trim() }),
          (error: unknown) => log("haproxy was not told to close", { error: String(error) }),
        );
        break;
      case "remove addresses":
        void releaseAddresses();
        break;
      case "start close timer":
        setTimeout(() => handle({ kind: "close time over" }), config.closeSeconds * 1000);
        break;
      case "soft stop":
        haproxy.kill("SIGUSR1");
        break;
      case "start drain timer":
        // HAProxy cuts by itself at hard-stop-after; this is for one that does not.
        setTimeout(() => handle({ kind: "drain time over" }), (config.hardStopSeconds + 2) * 1000);
        break;
      case "kill haproxy":
        haproxy.kill("SIGKILL");
        break;
      case "stop heartbeat":
        heartbeat = false;
        break;
      case "exit":
        void exit(action.code);
        break;
    }
  }

  function handle(event: BalancerEvent): void {
    const step = next(state, event);
    if (step.state.phase !== state.phase) {
      log(`${event.kind}: ${state.phase} -> ${step.state.phase}`);
    }
    state = step.state;
    step.actions.forEach(perform);
  }

  async function probe(): Promise<void> {
    const answered = (await statusOf(config.statusPort, "/ready", probeTimeoutMs)) === 200;
    failedProbes = answered ? 0 : failedProbes + 1;
    if (answered && !allChecked) {
      allChecked = (await servers().catch(() => [])).every(({ checked }) => checked);
    }
    if (answered && allChecked) handle({ kind: "fit", fit: true });
    if (failedProbes >= probesUntilUnfit) handle({ kind: "fit", fit: false });
    if (failedProbes >= probesUntilKill) handle({ kind: "haproxy silent" });
  }

  function startHeartbeats(peerAddress: string): void {
    const socket = dgram.createSocket({ type: "udp4", reuseAddr: true });
    socket.on("error", (error) => log("heartbeat", { error: error.message }));
    socket.on("message", (_, { address }) => {
      if (address === peerAddress) peer = heard(Date.now());
    });
    socket.bind(config.heartbeatPort, config.address);
    const beat = Buffer.from(config.node);
    setInterval(() => {
      const alive = state.phase !== "starting" || (allChecked && failedProbes === 0);
      if (heartbeat && alive) {
        // An unreachable peer is no error of this node.
        socket.send(beat, config.heartbeatPort, peerAddress, () => undefined);
      }
      const vrrp = readLine(paths.vrrpStateFile) ?? "INIT";
      if (mustClear(peer, vrrp, Date.now())) {
        peer = { ...peer, cleared: true };
        clearPeerConnections().catch((error: unknown) =>
          log("the peer's connections were not reset", { error: String(error) }),
        );
      }
    }, heartbeatIntervalMs);
  }

  function metrics(): string {
    const draining = existsSync(paths.drainingFlag);
    const balancer = balancerMetrics({
      // A stopped keepalived leaves its last word behind.
      vrrp: draining ? "INIT" : (readLine(paths.vrrpStateFile) ?? "INIT"),
      fit: allChecked && failedProbes < probesUntilUnfit,
      draining,
      peerAlive: config.peer === null ? undefined : isAlive(peer, Date.now()),
    });
    return balancer + (keeper?.metrics() ?? "");
  }

  function keepCertificate({ acme }: LoadBalancerSupervisorView): void {
    if (!keeper || !acme) return;
    if (acme.peer) {
      // It serves clients without; the peer can order one of its own.
      serveCertificate(config.address, acme, keeper.text, (error) =>
        log("the peer cannot ask for the certificate", { error: error.message }),
      );
    }
    setInterval(() => void keeper.tick(), certificateIntervalMs);
    void keeper.tick();
  }

  serve(
    { address: config.address, port: config.supervisorPort, tls: config.tls },
    {
      "/status": async () =>
        json(200, {
          ...(await loadBalancerStatus(config)),
          ...(keeper && { acme: keeper.status() }),
        }),
      "/metrics": () => ({ status: 200, type: "text/plain; version=0.0.4", body: metrics() }),
    },
    keeper
      ? {
          "/renew": () =>
            keeper.requestOrder()
              ? line(202, "a certificate is being ordered; the log tells what comes of it")
              : line(409, "this node does not hold the virtual addresses; ask the other one"),
        }
      : {},
  );
  keepCertificate(config);
  setInterval(() => void probe(), probeIntervalMs);
  setInterval(
    () => writeWhole(paths.healthFile, failedProbes === 0 ? "ok\n" : "haproxy does not answer\n"),
    healthIntervalMs,
  );
  if (config.peer !== null) startHeartbeats(config.peer);
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => handle({ kind: "terminate" }));
  }
  log("started", { node: config.node, role: config.role });
}

async function servers(): Promise<Server[]> {
  return parseShowStat(await askHaproxy(paths.haproxySocket, "show stat"));
}

/** State of a load balancer; gates decide by it. */
async function loadBalancerStatus(config: LoadBalancerSupervisorView): Promise<object> {
  const seen = await servers().catch(() => undefined);
  const draining = existsSync(paths.drainingFlag);
  const vrrp = readLine(paths.vrrpStateFile) ?? "INIT";
  const fit = readLine(paths.trackFile) === "0";
  const peerAlive =
    config.peer === null ? null : hasElements(await listSet("peer_alive").catch(() => "{}"));
  return {
    node: config.node,
    ready:
      !draining &&
      fit &&
      seen !== undefined &&
      seen.every(({ checked }) => checked) &&
      (vrrp === "MASTER" || vrrp === "BACKUP"),
    draining,
    vrrp,
    peerAlive,
    servers: (seen ?? []).map(({ backend, server, status, currentSessions, check }) => ({
      backend,
      server,
      status,
      currentSessions,
      check,
    })),
  };
}
