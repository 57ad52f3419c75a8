// A constant arrival rate for a while: what a stack does when nothing happens to it.
import { defaultDurationSeconds, defaultRate } from "../shared.ts";
import { steadyOptions } from "./lib.ts";

export { http2, keptAlive, newConnections, summarise as handleSummary } from "./lib.ts";

export const options = steadyOptions(defaultRate, defaultDurationSeconds);
