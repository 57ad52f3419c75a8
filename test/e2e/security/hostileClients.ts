import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "node:http";
import { describe, expect, it } from "vitest";
import type { PathSpec } from "../../../loadtests/client";
import { mustRun } from "../../faults/fault";
import type { DataStack } from "../../support/dataStack";
import { expectNoFailedRequest } from "../../support/expectations";
import { steadyLoad, watch } from "../../support/measure";
import { SlowClients } from "../../support/slowClients";

const slowClients = 500;
const limit = { requestsPerClient: 200, clientWindowSeconds: 10 };

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

function ask(host: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, path: "/ping", agent, timeout: 5000 }, (answer) => {
      answer.resume();
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers["retry-after"] }),
      );
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer within 5 s")));
    sent.on("error", reject);
    sent.end();
  });
}

export function hostileClients(data: DataStack, network: string, paths: readonly PathSpec[]): void {
  const { stack, figures } = data;

  it(`serves others while ${slowClients} clients send a byte a second`, async () => {
    const outputs = await stack.outputs();
    const load = await steadyLoad(outputs, network, { rate: 100, paths });
    const slow = new SlowClients(outputs.vip, slowClients);
    try {
      await sleep(5000);
      const calm = await watch(load, () => sleep(15_000));
      slow.start();
      const attacked = await watch(load, () => sleep(25_000));
      expectNoFailedRequest(calm.seen);
      expectNoFailedRequest(attacked.seen);
      // Headers that do not end are cut after ten seconds.
      expect(slow.ended).toBeGreaterThanOrEqual(slowClients / 2);
      figures.record(
        `p99 beside ${slowClients} slow clients, of that without`,
        attacked.seen.latency.all.p99Ms / calm.seen.latency.all.p99Ms,
        "times",
      );
    } finally {
      slow.stop();
      await load.kill();
    }
  });

  describe("with a limit of 20 requests a second", () => {
    it("holds one client at it that sends ten times as many, and serves another", async () => {
      stack.configure({ ...stack.configured, loadBalancer: limit });
      await stack.mustUp();
      const { vip } = await stack.outputs();
      // A machine that is no load balancer's: it has an address of its own.
      const [other] = await data.nodesOf("mysqlCluster");
      // Nothing of the update's own requests is left in the window.
      await sleep(limit.clientWindowSeconds * 1000);
      const agent = new Agent({ keepAlive: true, maxSockets: 20 });
      const answers: Promise<Answer>[] = [];
      const seconds = 10;
      const sending = (async () => {
        for (let tick = 0; tick < seconds * 20; tick++) {
          for (let index = 0; index < 10; index++) answers.push(ask(vip, agent));
          await sleep(50);
        }
      })();
      const asked = "for n in 1 2 3 4 5; do curl -s -m 5 -o /dev/null -w '%{http_code} ' http://";
      const others = await mustRun(stack, other!.machine, `${asked}${vip}/ping; sleep 1; done`);
      await sending;
      const got = await Promise.all(answers);
      agent.destroy();
      expect(others.trim().split(" ")).toEqual(Array.from({ length: 5 }, () => "200"));
      const statuses = new Set(got.map(({ status }) => status));
      expect(statuses).toEqual(new Set([200, 429]));
      const served = got.filter(({ status }) => status === 200).length;
      // The rate slides: the end of one window and the beginning of the next may both be full.
      expect(served).toBeGreaterThanOrEqual(limit.requestsPerClient);
      expect(served).toBeLessThanOrEqual(2 * limit.requestsPerClient + 20);
      const refused = got.find(({ status }) => status === 429);
      expect(refused?.retryAfter).toBe(String(limit.clientWindowSeconds));
      // After the time that it was told to wait it is served again.
      await sleep(limit.clientWindowSeconds * 1000 + 1000);
      expect((await ask(vip, new Agent())).status).toBe(200);
    });
  });
}
