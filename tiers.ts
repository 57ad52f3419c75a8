import { appPool } from "./components/appPool.tier";
import { loadBalancer } from "./components/loadBalancer.tier";
import { webPool } from "./components/webPool.tier";

/** Every tier there is, in the order in which an update builds and rolls them. */
export const tiers = { loadBalancer, appPool, webPool } as const;
