import type { FollowedMetric } from "../model/metrics";

/** Metrics of the tier that are worth following. */
export const loadBalancerMetrics: readonly FollowedMetric[] = [
  {
    job: "lb-status",
    name: "haproxy_frontend_http_responses_total",
    what: "Answers to clients, by class of status.",
    why: "Requests a second at the edge and the share of them that fail: half of the availability.",
  },
  {
    job: "lb-status",
    name: "haproxy_server_status",
    what: "State of each server as each load balancer sees it.",
    why: "Whether a node gets requests.",
  },
  {
    job: "lb-status",
    name: "haproxy_backend_current_queue",
    what: "Requests that wait for a free server.",
    why: "Above 0 the servers are too few or too slow.",
  },
  {
    job: "lb-status",
    name: "haproxy_backend_response_time_average_seconds",
    what: "Mean time of the last 1024 answers of a backend.",
    why: "Which tier is slow.",
  },
  {
    job: "lb-status",
    name: "haproxy_process_current_connections",
    what: "Open connections of a load balancer.",
    why: "How near it is to `loadBalancer.maxConnections`.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_lb_vrrp_state",
    what: "1 for the state that keepalived is in.",
    why: "Who holds the virtual addresses, and whether somebody could take them over.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_lb_fit",
    what: "1 while HAProxy answers and has checked every server.",
    why: "Why a load balancer gives the addresses away.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_lb_draining",
    what: "1 while the node is about to stop.",
    why: "Tells a planned stop from a failure.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_lb_peer_alive",
    what: "1 while the other load balancer's heartbeats arrive.",
    why: "Whether old connections can be handed to it.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_acme_certificate",
    what: "With ACME: 1 while the node shows what the authority issued, for all names.",
    why: "Whether clients trust the edge.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_acme_last_success_timestamp_seconds",
    what: "When the node last got a certificate.",
    why: "Whether renewal works; the node that holds the addresses orders.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_acme_last_failure_timestamp_seconds",
    what: "When the node last failed to get one.",
    why: "Later than the success there is something to repair; the node's log says what.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_edge_certificate_expiry_timestamp_seconds",
    what: "With ACME: when the certificate ends that the node shows, or would.",
    why: "The standby's is seen by no probe.",
  },
  {
    job: "lb-supervisor",
    name: "holdfast_edge_certificate_warning_seconds",
    what: "With ACME: seconds before its end from which the renewal is late.",
    why: "A certificate may live less than the month that others are warned in.",
  },
  {
    job: "lb-status",
    name: "haproxy_frontend_bytes_out_total",
    what: "Bytes sent to clients, by frontend.",
    why: "How much of the network the answers take.",
  },
  {
    job: "lb-status",
    name: "haproxy_backend_http_responses_total",
    what: "Answers of a tier, by class of status.",
    why: "Which tier fails.",
  },
  {
    job: "lb-status",
    name: "haproxy_backend_current_sessions",
    what: "Requests and connections that a tier works on.",
    why: "Grows when it is slow.",
  },
  {
    job: "lb-status",
    name: "haproxy_backend_retry_warnings_total",
    what: "Requests that were sent once more.",
    why: "Faults that clients do not notice.",
  },
  {
    job: "lb-status",
    name: "haproxy_backend_redispatch_warnings_total",
    what: "Requests that another server got.",
    why: "The same, where the first server did not come back.",
  },
];
