import { rmSync } from "node:fs";
import type { WebSupervisorView } from "../../model/views";
import { log, start, statusOf, writeWhole } from "./io";
import { drainingFlag, healthFile, nginxConfig } from "./paths";
import { nextWeb, type WebAction, type WebEvent, type WebPhase } from "./webLifecycle";

const healthIntervalMs = 2000;

/** Runs nginx until SIGTERM, then drains it and exits. */
export function superviseWeb(config: WebSupervisorView): void {
  let phase: WebPhase = "serving";
  // Left behind where the same container starts again.
  for (const file of [drainingFlag, healthFile]) rmSync(file, { force: true });

  const nginx = start("nginx", ["-c", nginxConfig, "-g", "daemon off;"]);
  nginx.on("exit", (code, signal) => {
    log("nginx exited", { code, signal });
    handle("nginx exited");
  });

  function perform(action: WebAction): void {
    switch (action.kind) {
      case "fail readiness":
        writeWhole(drainingFlag, "");
        break;
      case "start drain timer":
        setTimeout(() => handle("drain time over"), config.drainSeconds * 1000);
        break;
      case "quit nginx":
        nginx.kill("SIGQUIT");
        break;
      case "exit":
        log("supervisor exits", { code: action.code });
        process.exit(action.code);
    }
  }

  function handle(event: WebEvent): void {
    const step = nextWeb(phase, event);
    if (step.phase !== phase) log(`${event}: ${phase} -> ${step.phase}`);
    phase = step.phase;
    step.actions.forEach(perform);
  }

  const checkHealth = async () => {
    const healthy = (await statusOf(config.port, "/healthz", 1000)) === 200;
    writeWhole(healthFile, healthy ? "ok\n" : "nginx does not answer\n");
  };
  setInterval(() => void checkHealth(), healthIntervalMs);
  void checkHealth();

  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => handle("terminate"));
  log("started", { node: config.node, role: config.role });
}

/** State of a web node as `status` prints it. */
export async function webStatus(config: WebSupervisorView): Promise<object> {
  const ready = await statusOf(config.port, "/readyz", 1000);
  return { node: config.node, ready: ready === 200, draining: ready === 404 };
}
