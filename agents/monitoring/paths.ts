/* Files inside the image. */
export const configFile = "/etc/holdfast/agent.json";
/** Refreshed while all is well, read by the health check. */
export const healthFile = "/run/holdfast/health";
