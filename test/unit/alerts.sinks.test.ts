import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { AlertWatch } from "../support/alertWatch";
import { toldBy } from "../support/mails";
import { eventually } from "../support/measure";
import { PageSink } from "../support/pages";

/** A monitor that says what it is told to; silent where that is undefined. */
class FakeMonitor {
  alerts: readonly (readonly [alert: string, state: string])[] | undefined = [];
  private readonly server: Server = createServer((_request, response) => {
    const alerts = this.alerts?.map(([alertname, state]) => ({ labels: { alertname }, state }));
    response.writeHead(alerts ? 200 : 503).end(JSON.stringify({ data: { alerts } }));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe("the watch over alerts", () => {
  it("tells what every monitor says, when it changed, and what has been", async () => {
    const monitor = new FakeMonitor();
    monitor.alerts = [["Watchdog", "firing"]];
    const watch = new AlertWatch([{ url: await monitor.listen(), authority: "" }]);
    closing.push(
      () => monitor.close(),
      () => watch.stop(),
    );
    await watch.fresh();
    expect(watch.now()).toEqual([[]]);
    expect(watch.changedAt(new Set())).toBe(0);
    const begun = Date.now();
    monitor.alerts = [
      ["Watchdog", "firing"],
      ["TargetDown", "pending"],
    ];
    await watch.fresh();
    expect(watch.now()).toEqual([[{ alert: "TargetDown", state: "pending" }]]);
    expect(watch.changedAt(new Set())).toBeGreaterThanOrEqual(begun);
    expect(watch.changedAt(new Set(["TargetDown"]))).toBe(0);
    monitor.alerts = undefined;
    await eventually("the watch sees that it is silent", 5, () =>
      Promise.resolve(watch.now()[0] === undefined),
    );
    expect(watch.was("pending", "TargetDown", begun)).toBe(true);
    expect(watch.was("firing", "TargetDown", begun)).toBe(false);
    expect(watch.told(begun).map((line) => line.replace(/^.*: /, ""))).toEqual([
      "TargetDown pending",
      "does not answer",
    ]);
  });
});

describe("who is told", () => {
  it("by webhook may go away and come back where it was", async () => {
    const sink = new PageSink();
    const port = await sink.listen();
    closing.push(() => sink.close());
    const send = async () =>
      fetch(`http://127.0.0.1:${port}/alerts`, {
        method: "POST",
        body: JSON.stringify({ status: "firing", alerts: [] }),
      });
    await send();
    await sink.close();
    await expect(send()).rejects.toThrow();
    expect(await sink.listen()).toBe(port);
    await send();
    expect(sink.pages.map(({ path }) => path)).toEqual(["/alerts", "/alerts"]);
  });

  it("by mail reads the alert from the subject", () => {
    const told = (subject: string) => toldBy({ at: 0, to: [], subject });
    expect(told("[firing, page] alerts: VipProbeFailing")).toEqual({
      status: "firing",
      alert: "VipProbeFailing",
    });
    expect(told("[resolved] alerts: TargetDown")).toEqual({
      status: "resolved",
      alert: "TargetDown",
    });
    expect(told("something else")).toBeUndefined();
  });
});
