import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the web pool: the load balancers count for it, and the exporter beside it. */
export const webDashboard: DashboardDeclaration<object> = { title: "Web", panels: () => [] };
