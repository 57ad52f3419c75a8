import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PathSpec } from "../../../loadtests/client";
import type { TlsStage } from "../../../model/tls";
import { expectNothingFailed } from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { expectOneAtATime } from "../../support/expectations";
import { replacedNodes } from "../../support/steps";
import { ports, seenBy } from "./tlsListeners";

const nodes = ["app-a", "app-b", "lb-a", "lb-b", "web-a", "web-b"];

/** Those with an agent that others ask, too. */
const allNodes = [
  ...nodes,
  "backup-a",
  ...["mysql-a", "mysql-b", "mysql-c"],
  ...["redis-a", "redis-b", "redis-c"],
].sort();

/** Settings of a data stack whose web and application nodes, and ports for health, are at that stage. */
export const secured = (tls: TlsStage, metricsTls: TlsStage) => ({
  webPool: { count: 2, tls },
  appPool: { count: 2, sample: "property", tls },
  pki: { metricsTls },
});

/** What a load balancer meets at a node: somebody who speaks TLS, and somebody who does not. */
const met: Readonly<Record<TlsStage, { readonly tls: boolean; readonly plain: boolean }>> = {
  off: { tls: false, plain: true },
  prefer: { tls: true, plain: true },
  require: { tls: true, plain: false },
};

/** Port of the database's agents by default, where both are spoken. */
const agent = { plain: 9200, tls: 9200 } as const;

/** Switches TLS between the tiers off and on again, under load, as an operator would. */
export function tlsStages(data: DataStack, paths: readonly PathSpec[]): void {
  const { stack } = data;

  async function meets(tier: string, at: typeof ports | typeof agent = ports) {
    const { machines } = await stack.outputs();
    const [balancer] = await data.nodesOf("loadBalancer");
    const [node] = await data.nodesOf(tier);
    const host = machines[node!.machine]?.address ?? "";
    const secure = await seenBy(data, balancer!, host, at.tls);
    const plain = await seenBy(data, balancer!, host, at.plain);
    return { tls: secure["right"] === "open", plain: plain["plain text"] === "open" };
  }

  describe("TLS between the tiers, under 200 requests a second", () => {
    beforeAll(async () => {
      await data.startLoad(paths);
    });

    afterAll(async () => {
      await data.stopLoad();
    });

    // For health and metrics it is switched with one pair alone: that makes every node anew.
    it.each<readonly [TlsStage, TlsStage, TlsStage, readonly string[]]>([
      ["require", "prefer", "prefer", allNodes],
      ["prefer", "off", "prefer", nodes],
      ["off", "prefer", "prefer", nodes],
      ["prefer", "require", "require", allNodes],
    ])(
      "is switched from %s to %s without a failed request",
      async (before, after, metrics, all) => {
        expect(await meets("webPool"), before).toEqual(met[before]);
        stack.configure(secured(after, metrics));
        const watched = await data.watch(() => stack.mustUp());
        expect(replacedNodes(watched.result).sort()).toEqual(all);
        expectOneAtATime(watched.result);
        expectNothingFailed(watched);
        data.figures.record(`TLS switched from ${before} to ${after}`, watched.result.seconds, "s");
        expect(await meets("webPool"), after).toEqual(met[after]);
        expect(await meets("appPool"), after).toEqual(met[after]);
        expect(await meets("mysqlCluster", agent), metrics).toEqual(met[metrics]);
      },
    );

    it("shows no change in another update", async () => {
      const run = await stack.mustUp();
      expect(run.changes, run.output).toEqual({});
    });
  });
}
