import { createLog } from "../logging";
import { startServer } from "./server";
import { readSettings, type Settings } from "./settings";

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    createLog("hello", process.env.NODE_NAME ?? "").fatal(
      error instanceof Error ? error.message : String(error),
    );
    process.exit(1);
  }
}

const settings = settingsOrExit();
const log = createLog("hello", settings.node, settings.logLevel);

process.on("uncaughtException", (error) => {
  log.fatal({ err: error }, "stopped by an error");
  process.exit(1);
});

startServer(settings, log).then(
  (server) => {
    const { port, tlsPort } = server;
    log.info({ host: settings.host, port, tlsPort, greeting: settings.greeting }, "listening");
    const stop = (signal: string) => {
      log.info({ signal }, "asked to stop");
      void server.drain().then((cut) => {
        if (cut > 0) log.warn({ connections: cut }, "cut connections that did not finish in time");
        log.info("stopped");
        process.exit(0);
      });
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  },
  (error: unknown) => {
    log.fatal({ err: error, host: settings.host, port: settings.port }, "cannot listen");
    process.exit(1);
  },
);
