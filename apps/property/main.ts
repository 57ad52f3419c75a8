import { parseArgs } from "node:util";
import type { Logger } from "pino";
import { createLog } from "../logging";
import { explain } from "./commands/explain";
import { migrate } from "./commands/migrate";
import { migrationsFolder } from "./commands/migrations";
import { seed } from "./commands/seed";
import { connectMysql } from "./database/connection";
import { serve } from "./serve";
import { readSettings, type Settings } from "./settings";

const usage = "property.js [serve | migrate | seed --rows <number> | explain]";

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    createLog("property", process.env.NODE_NAME ?? "").fatal(
      error instanceof Error ? error.message : String(error),
    );
    process.exit(1);
  }
}

async function runServer(settings: Settings, folder: string, log: Logger): Promise<void> {
  const running = await serve(settings, folder, log);
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "asked to stop");
    void running.stop().then((finished) => {
      if (!finished) log.warn("cut connections that did not finish in time");
      log.info("stopped");
      process.exit(0);
    });
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

async function runOnPrimary(
  { mysql }: Settings,
  work: (connection: Awaited<ReturnType<typeof connectMysql>>) => Promise<void>,
): Promise<void> {
  const connection = await connectMysql(mysql.primary, mysql, { connectMs: 5000, session: [] });
  try {
    await work(connection);
  } finally {
    connection.destroy();
  }
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    options: { rows: { type: "string" } },
    allowPositionals: true,
  });
  const [command = "serve", ...more] = positionals;
  const rows = Number(values.rows);
  const wrongRows = command === "seed" ? !(rows >= 1 && rows <= 10_000_000) : values.rows;
  if (!["serve", "migrate", "seed", "explain"].includes(command) || more.length > 0 || wrongRows) {
    console.error(`usage: ${usage}`);
    process.exit(2);
  }
  const settings = settingsOrExit();
  const log = createLog("property", settings.node, settings.logLevel);
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "stopped by an error");
    process.exit(1);
  });
  const folder = migrationsFolder(__dirname);
  try {
    switch (command) {
      case "serve":
        await runServer(settings, folder, log);
        return;
      case "migrate": {
        const applied = await migrate(settings.mysql, folder, settings.migrationWaitMs, log);
        log.info({ applied }, `migrated: ${applied.length} applied`);
        break;
      }
      case "seed":
        await runOnPrimary(settings, (connection) => seed(connection, Math.floor(rows), log));
        break;
      case "explain":
        await runOnPrimary(settings, async (connection) => {
          for (const plan of await explain(connection)) console.log(JSON.stringify(plan));
        });
        break;
    }
    process.exit(0);
  } catch (error) {
    log.fatal(`${command} failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}

void main();
