/* Files inside the image. */
export const configFile = "/etc/holdfast/agent.json";
/** By which the node knows the others, and itself. */
export const authorityFile = "/etc/holdfast/tls/ca.pem";
/** Refreshed while all is well, read by the health check. */
export const healthFile = "/run/holdfast/health";
