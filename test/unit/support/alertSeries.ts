/* Series as the scrape of a stack names them. */

/** Labels of a node. */
export const on = (node: string, tier: string) =>
  `node="${node}",tier="${tier}",machine="vm-${node}"`;
export const mysql = (node: string) => on(`mysql-${node}`, "mysqlCluster");
export const redis = (node: string) => on(`redis-${node}`, "redisCache");
export const lb = (node: string) => on(`lb-${node}`, "loadBalancer");
export const monitor = (node: string) => on(`monitor-${node}`, "monitoring");
export const up = (job: string, labels: string) => `up{job="${job}",instance="i",${labels}}`;
export const labelsOf = (node: string, tier: string) => ({ node, tier, machine: `vm-${node}` });

export const probe = (instance: string, by: string) =>
  `probe_success{job="probe-edge",instance="${instance}",monitor="${by}"}`;
export const responses = (code: string, node = "lb-a") =>
  `haproxy_frontend_http_responses_total{proxy="web",code="${code}",${on(node, "loadBalancer")}}`;
export const server = (name: string, state: string, by: string) =>
  `haproxy_server_status{proxy="web",server="${name}",state="${state}",${lb(by)}}`;
export const ratio = (slo: string, window: string) =>
  `slo:sli_error:ratio_rate${window}{slo="${slo}"}`;
export const disk = (kind: "avail" | "size", fstype = "ext4") =>
  `node_filesystem_${kind}_bytes{job="machine-node",machine="vm-mysql-a",device="/dev/vda1",mountpoint="/",fstype="${fstype}"}`;
/** The marker that an update leaves. */
export const deploy = (what: "started" | "finished" | "stopped") =>
  `holdfast_deploy_${what}_timestamp_seconds`;
