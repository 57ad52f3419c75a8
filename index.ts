import "./components/stackTraces";
import { AppPool } from "./components/appPool";
import { Backup } from "./components/backup";
import { plannedStack } from "./components/configuration";
import { edgeCertificate, edgeIdentity } from "./components/edgeCertificate";
import { Grafana } from "./components/grafana";
import { grafanaUrls } from "./components/grafana.files";
import { Inventory } from "./components/inventory";
import { Lab } from "./components/lab";
import { LoadBalancer } from "./components/loadBalancer";
import { MachineExporter } from "./components/machineExporter";
import { Machines } from "./components/machines";
import { Monitoring } from "./components/monitoring";
import { prometheusUrls } from "./components/monitoring.files";
import { MysqlCluster } from "./components/mysqlCluster";
import { describeStack } from "./components/outputs";
import { Passwords } from "./components/passwords";
import { Pki } from "./components/pki";
import { showToPolicies } from "./components/productionSettings";
import { RedisCache } from "./components/redisCache";
import { ServiceExporter } from "./components/serviceExporter";
import { Teardown } from "./components/teardown";
import { WebPool } from "./components/webPool";
import { k6Thresholds } from "./model/sloDocuments";
import { tiers } from "./tiers";

const plan = plannedStack(tiers);
showToPolicies(plan);

const source = plan.settings.machines.source === "lab" ? new Lab("lab", plan) : new Inventory(plan);
const machines = new Machines(plan, source);
const pki = new Pki("pki", plan.settings.pki);
const passwords = new Passwords("passwords", plan.settings.passwords);
const common = { plan, machines, registry: source.registry, pki, passwords };

const lb = new LoadBalancer("lb", { ...common, certificate: edgeCertificate(plan, pki) });
const mysql = new MysqlCluster("mysql", { ...common, after: lb.gates });
const redis = new RedisCache("redis", { ...common, after: mysql.gates });
const app = new AppPool("app", { ...common, after: redis.gates });
const web = new WebPool("web", { ...common, after: app.gates });

const copies = new Backup("backup", {
  ...common,
  labNetwork: source.labNetwork,
  after: mysql.gates,
});

// Last: before there is something to reach it would tell of an outage.
const monitor = new Monitoring("monitor", {
  ...common,
  edge: edgeIdentity(plan, pki),
  after: web.gates,
});
const dashboards = new Grafana("grafana", { ...common, after: monitor.gates });
const exporters = new MachineExporter("machine", common);
const services = new ServiceExporter("exporter", {
  ...common,
  after: { mysqlExporter: mysql.gates, redisExporter: redis.gates },
});

const gates = [
  lb,
  mysql,
  redis,
  app,
  web,
  copies,
  monitor,
  dashboards,
  exporters,
  services,
].flatMap((tier) => tier.gates);
machines.closeFirewalls(gates);
new Teardown("teardown", { after: gates });

export const { url, vip, internalVip, nodes, machineList, endpoints } = describeStack(plan, {
  loadBalancer: lb.nodes,
  mysqlCluster: mysql.nodes,
  redisCache: redis.nodes,
  appPool: app.nodes,
  webPool: web.nodes,
  backup: copies.nodes,
  monitoring: monitor.nodes,
  grafana: dashboards.nodes,
  machineExporter: exporters.nodes,
  ...services.nodes,
});
export { machineList as machines };
export const caCertificate = pki.caCertificate;
export const certificateExpiry = pki.firstEnd();
export const backup = copies.key;
export const prometheus = prometheusUrls(plan);
export const grafana = grafanaUrls(plan);
export const grafanaPassword = dashboards.adminPassword;
export const slo = k6Thresholds(plan.settings.slo);
