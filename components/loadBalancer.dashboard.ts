import { perSecond, roleOrNot, yesOrNo } from "../model/dashboardGeneric";
import type { DashboardDeclaration } from "../model/dashboards";

/** What people see of the load balancers. */
export const loadBalancerDashboard: DashboardDeclaration<{ readonly maxConnections: number }> = {
  title: "Load balancers",
  panels: ({ maxConnections }) => [
    {
      title: "Active load balancer",
      tells: "Who holds the virtual addresses. Exactly one does; the other stands by.",
      kind: "states",
      unit: "short",
      names: roleOrNot("active", "stands by"),
      overview: "leads",
      queries: [
        {
          expr: 'max by (node) (holdfast_lb_vrrp_state{state="master"})',
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Could take over",
      tells: "Whether a load balancer is fit to hold the virtual addresses, or is about to stop.",
      kind: "states",
      unit: "short",
      names: yesOrNo("fit", "unfit"),
      queries: [
        {
          expr: "min by (node) (holdfast_lb_fit * (1 - holdfast_lb_draining))",
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Hears its peer",
      tells: "Whether old connections can be handed to the other one.",
      kind: "states",
      unit: "short",
      names: yesOrNo("hears", "hears nothing"),
      queries: [{ expr: "min by (node) (holdfast_lb_peer_alive)", legend: "{{node}}" }],
    },
    {
      title: "Answers to clients",
      tells: "By frontend and class, both load balancers together.",
      unit: "reqps",
      min: 0,
      queries: [
        {
          expr: perSecond("haproxy_frontend_http_responses_total", "proxy, code"),
          legend: "{{proxy}} {{code}}",
        },
      ],
    },
    {
      title: "Connections used",
      tells: `Share of the ${maxConnections} connections that a load balancer holds at once.`,
      unit: "percentunit",
      min: 0,
      max: 1,
      alarm: { above: 0.8 },
      overview: "saturation",
      queries: [
        {
          expr: `max by (node) (haproxy_process_current_connections) / ${maxConnections}`,
          legend: "{{node}}",
        },
      ],
    },
    {
      title: "Bytes to clients",
      tells: "What each frontend sends.",
      unit: "Bps",
      min: 0,
      queries: [
        { expr: perSecond("haproxy_frontend_bytes_out_total", "proxy"), legend: "{{proxy}}" },
      ],
    },
  ],
};
