import type { Fault } from "./fault";

/** Settings before and after the edge depends on an authority that does not answer. */
export interface UnreachableAuthority {
  /** Writes the settings by which an authority is asked that is not there. */
  readonly unreachable: () => void;
  /** Writes those that are right. */
  readonly good: () => void;
}

/** The edge's certificate is to come from an ACME server that cannot be reached. */
export function authorityUnreachable({ unreachable, good }: UnreachableAuthority): Fault {
  return {
    name: "an ACME server that cannot be reached",
    inject: async (stack) => {
      unreachable();
      await stack.mustUp();
    },
    heal: async (stack) => {
      good();
      await stack.mustUp();
    },
  };
}
