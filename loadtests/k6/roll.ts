// The load of steady.ts while something is replaced by hand. Ctrl-C (SIGINT) ends it with a summary.
import { defaultRate } from "../shared.ts";
import { steadyOptions } from "./lib.ts";

export { http2, keptAlive, newConnections, summarise as handleSummary } from "./lib.ts";

export const options = steadyOptions(defaultRate, 600);
