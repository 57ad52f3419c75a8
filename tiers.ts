import { appPool } from "./components/appPool.tier";
import { backup } from "./components/backup.tier";
import { grafana } from "./components/grafana.tier";
import { loadBalancer } from "./components/loadBalancer.tier";
import { machineExporter } from "./components/machineExporter.tier";
import { monitoring } from "./components/monitoring.tier";
import { mysqlCluster } from "./components/mysqlCluster.tier";
import { mysqlExporter } from "./components/mysqlExporter.tier";
import { nginxExporter } from "./components/nginxExporter.tier";
import { redisCache } from "./components/redisCache.tier";
import { redisExporter } from "./components/redisExporter.tier";
import { webPool } from "./components/webPool.tier";

/** Every tier there is, in the order in which an update builds and rolls them. */
export const tiers = {
  loadBalancer,
  mysqlCluster,
  redisCache,
  appPool,
  webPool,
  backup,
  monitoring,
  grafana,
  machineExporter,
  mysqlExporter,
  redisExporter,
  nginxExporter,
} as const;
