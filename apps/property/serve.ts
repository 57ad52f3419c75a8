import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { Cache } from "./cache/cache";
import { connectRedis } from "./cache/redis";
import { knownMigrations } from "./commands/migrations";
import { listeningPort, listenTls } from "../tls";
import { connectMysql } from "./database/connection";
import { Database } from "./database/database";
import { drain } from "./drain";
import { createFlags } from "./flags";
import { createApp } from "./http/app";
import { createMetrics, type Metrics } from "./metrics";
import { removeExpired } from "./properties/idempotency";
import { PropertyService } from "./properties/service";
import { ReadinessGate } from "./readiness";
import { awaitSchema } from "./schema";
import type { MysqlSettings, Settings } from "./settings";

const cleanupMs = 600_000;
const cleanupRows = 500;

/** A running application. */
export interface Running {
  readonly port: number;
  /** Port for TLS, where it speaks it. */
  readonly tlsPort: number | undefined;
  /** Leaves service and ends; resolves to true where no request had to be cut. */
  stop(): Promise<boolean>;
}

/** The database as the application uses it. */
export function openDatabase(settings: Settings, metrics: Metrics, log: Logger): Database {
  const { mysql } = settings;
  return new Database(
    {
      poolSize: mysql.poolSize,
      readWaitMs: settings.readWaitMs,
      writeWaitMs: settings.writeWaitMs,
      consistencyWaitMs: settings.consistencyWaitMs,
      connect: (side, lost) => connect(mysql, side, lost),
    },
    metrics,
    log,
  );
}

function connect(mysql: MysqlSettings, side: "primary" | "replicas", lost: () => void) {
  const session = [
    // Sessions whose client vanished without a word hold no locks for longer.
    "wait_timeout = 30",
    // A query that nobody waits for any more ends.
    "max_execution_time = 5000",
    ...(side === "primary"
      ? [
          "session_track_gtids = OWN_GTID",
          "innodb_lock_wait_timeout = 2",
          "transaction_isolation = 'READ-COMMITTED'",
        ]
      : []),
  ];
  return connectMysql(mysql[side], mysql, { connectMs: 1500, session, lost });
}

/** Starts to listen. Rejects with the system's error where the address or port is taken. */
export async function serve(settings: Settings, folder: string, log: Logger): Promise<Running> {
  const metrics = createMetrics();
  const readiness = new ReadinessGate();
  const database = openDatabase(settings, metrics, log);
  const redis = settings.redis && connectRedis(settings.redis, settings.cacheTtlMs, log);
  const cache = redis && new Cache(redis.store, { ttlMs: settings.cacheTtlMs }, metrics, log);
  const flags = await createFlags(settings.flags);
  const service = new PropertyService(database, cache, flags, settings, metrics, log);
  const app = await createApp({
    settings,
    service,
    readiness,
    metrics,
    log,
    observe: () => database.observe(),
  });
  await app.listen({ port: settings.port, host: settings.host });
  const secure = settings.tls && (await listenTls(app.server, settings.tls, log));
  const port = listeningPort(app.server);
  const tlsPort = secure && listeningPort(secure);
  log.info({ host: settings.host, port, tlsPort, flags: settings.flags }, "listening");
  void awaitSchema(database, knownMigrations(folder), readiness, log);
  void cleanUp(database, readiness, log);

  return {
    port,
    tlsPort,
    stop: async () => {
      const finished = await drain(app.server, secure, readiness, settings, log);
      cache?.close();
      redis?.close();
      database.close();
      return finished;
    },
  };
}

/** Now and then removes idempotency keys that have expired; any node may, and often one does. */
async function cleanUp(database: Database, readiness: ReadinessGate, log: Logger): Promise<void> {
  while (!readiness.draining) {
    await delay(cleanupMs * (0.5 + Math.random()), undefined, { ref: false });
    try {
      const once = () => database.write((run) => removeExpired(run, new Date(), cleanupRows));
      while ((await once()).value === cleanupRows);
    } catch (error) {
      log.warn({ reason: String(error) }, "expired idempotency keys could not be removed");
    }
  }
}
