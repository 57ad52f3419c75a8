import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the web pool: nginx counts nothing itself, the load balancers do. */
export const webDashboard: DashboardDeclaration<object> = { title: "Web", panels: () => [] };
