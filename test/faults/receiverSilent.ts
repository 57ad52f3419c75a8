import type { PageSink } from "../support/pages";
import type { Fault } from "./fault";

/** Whoever takes messages by webhook is away: connections are refused. */
export function receiverSilent(sink: PageSink): Fault {
  return {
    name: "the webhook away",
    inject: () => sink.close(),
    heal: async () => {
      await sink.listen();
    },
  };
}
