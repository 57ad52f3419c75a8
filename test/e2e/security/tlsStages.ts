import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PathSpec } from "../../../loadtests/client";
import type { TlsStage } from "../../../model/tls";
import { expectNothingFailed } from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { expectOneAtATime } from "../../support/expectations";
import { replacedNodes } from "../../support/steps";
import { ports, seenBy } from "./tlsListeners";

const nodes = ["app-a", "app-b", "lb-a", "lb-b", "web-a", "web-b"];

/** Settings of a data stack whose web and application nodes are at that stage. */
export const secured = (tls: TlsStage) => ({
  webPool: { count: 2, tls },
  appPool: { count: 2, sample: "property", tls },
});

/** What a load balancer meets at a node: somebody who speaks TLS, and somebody who does not. */
const met: Readonly<Record<TlsStage, { readonly tls: boolean; readonly plain: boolean }>> = {
  off: { tls: false, plain: true },
  prefer: { tls: true, plain: true },
  require: { tls: true, plain: false },
};

/** Switches TLS between the tiers off and on again, under load, as an operator would. */
export function tlsStages(data: DataStack, paths: readonly PathSpec[]): void {
  const { stack } = data;

  async function meets(tier: string) {
    const { machines } = await stack.outputs();
    const [balancer] = await data.nodesOf("loadBalancer");
    const [node] = await data.nodesOf(tier);
    const host = machines[node!.machine]?.address ?? "";
    const secure = await seenBy(data, balancer!, host, ports.tls);
    const plain = await seenBy(data, balancer!, host, ports.plain);
    return { tls: secure["right"] === "open", plain: plain["plain text"] === "open" };
  }

  describe("TLS between the tiers, under 200 requests a second", () => {
    beforeAll(async () => {
      await data.startLoad(paths);
    });

    afterAll(async () => {
      await data.stopLoad();
    });

    it.each<readonly [TlsStage, TlsStage]>([
      ["require", "prefer"],
      ["prefer", "off"],
      ["off", "prefer"],
      ["prefer", "require"],
    ])("is switched from %s to %s without a failed request", async (before, after) => {
      expect(await meets("webPool"), before).toEqual(met[before]);
      stack.configure(secured(after));
      const watched = await data.watch(() => stack.mustUp());
      expect(replacedNodes(watched.result).sort()).toEqual(nodes);
      expectOneAtATime(watched.result);
      expectNothingFailed(watched);
      data.figures.record(`TLS switched from ${before} to ${after}`, watched.result.seconds, "s");
      expect(await meets("webPool"), after).toEqual(met[after]);
      expect(await meets("appPool"), after).toEqual(met[after]);
    });

    it("shows no change in another update", async () => {
      const run = await stack.mustUp();
      expect(run.changes, run.output).toEqual({});
    });
  });
}
