import { AppPool } from "./components/appPool";
import { plannedStack } from "./components/configuration";
import { Inventory } from "./components/inventory";
import { Lab } from "./components/lab";
import { LoadBalancer } from "./components/loadBalancer";
import { Machines } from "./components/machines";
import { describeStack } from "./components/outputs";
import { Pki } from "./components/pki";
import { Teardown } from "./components/teardown";
import { WebPool } from "./components/webPool";
import { tiers } from "./tiers";

const plan = plannedStack(tiers);

const source = plan.settings.machines.source === "lab" ? new Lab("lab", plan) : new Inventory(plan);
const registry = source.registry;
const machines = new Machines(plan, source);
const pki = new Pki("pki", { edgeAddresses: plan.vips ? [plan.vips.edge] : [] });

const lb = new LoadBalancer("lb", { plan, machines, registry, certificate: pki.edgePem });
const app = new AppPool("app", { plan, machines, registry, after: lb.gates });
const web = new WebPool("web", { plan, machines, registry, after: app.gates });

const gates = [lb, app, web].flatMap((tier) => tier.gates);
machines.closeFirewalls(gates);
new Teardown("teardown", { after: gates });

export const { url, vip, internalVip, nodes, machineList, endpoints } = describeStack(plan, {
  loadBalancer: lb.nodes,
  appPool: app.nodes,
  webPool: web.nodes,
});
export { machineList as machines };
export const caCertificate = pki.caCertificate;
