/* Files and folders inside the images. */
export const configFile = "/etc/holdfast/supervisor.json";
export const haproxyConfig = "/etc/holdfast/haproxy.cfg";
export const keepalivedConfig = "/etc/holdfast/keepalived.conf";
export const secondChanceRules = "/etc/holdfast/second-chance.nft";
export const nginxConfig = "/etc/nginx/nginx.conf";
export const haproxySocket = "/run/haproxy/admin.sock";
export const provoker = "/opt/holdfast/provoke";

export const runFolder = "/run/holdfast";
/** Present while the node leaves service; nginx answers /readyz by it. */
export const drainingFlag = `${runFolder}/draining`;
/** Read by keepalived: 0 or -254. */
export const trackFile = `${runFolder}/haproxy.track`;
/** Written by keepalived's notify script. */
export const vrrpStateFile = `${runFolder}/vrrp-state`;
/** Refreshed while all is well, read by the health check. */
export const healthFile = `${runFolder}/health`;

/** Kernel settings of the machine's network: bind-mounted, as /proc/sys itself is read-only. */
export const sysctlFolders = ["/machine/proc/sys/net", "/proc/sys/net"];
