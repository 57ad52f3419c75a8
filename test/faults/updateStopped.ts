import type { Fault } from "./fault";

/** An update that stops half-way, and the one that goes on from there. */
export interface StoppedUpdate {
  /** Writes the settings with which it stops. */
  readonly broken: () => void;
  /** Writes those that are right. */
  readonly good: () => void;
}

/** An update brings a version that does not come into service. */
export function updateStopped({ broken, good }: StoppedUpdate): Fault {
  return {
    name: "an update stopped half-way",
    inject: async (stack) => {
      broken();
      const run = await stack.make("up");
      if (run.ok) throw new Error(`make up succeeded with a broken version:\n${run.output}`);
    },
    heal: async (stack) => {
      good();
      const run = await stack.make("up");
      if (!run.ok) throw new Error(`make up failed:\n${run.output}`);
    },
  };
}
