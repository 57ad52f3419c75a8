import { describe, expect, it } from "vitest";
import { tlsService } from "../../model/gate";
import { openPorts, stageSkipped, type TlsStage } from "../../model/tls";

const key = "holdfast:webPool.tls";

describe("a stage of TLS that is written", () => {
  it.each<readonly [TlsStage, TlsStage]>([
    ["off", "prefer"],
    ["prefer", "off"],
    ["prefer", "require"],
    ["require", "prefer"],
  ])("follows %s as %s", (at, written) => {
    expect(stageSkipped(key, written, { "web-a": at, "web-b": written })).toBeUndefined();
    expect(stageSkipped(key, written, {})).toBeUndefined();
  });

  it("skips none: the others could not be reached in the middle of the update", () => {
    expect(stageSkipped(key, "require", { "web-a": "prefer", "web-b": "off" })).toBe(
      "holdfast:webPool.tls: found require, allowed: prefer, because web-b is at off and could not be reached in the middle of the update",
    );
    expect(stageSkipped(key, "off", { "web-a": "require", "web-b": "require" })).toBe(
      "holdfast:webPool.tls: found off, allowed: prefer, because web-a, web-b are at require and could not be reached in the middle of the update",
    );
  });
});

describe("a node that speaks TLS", () => {
  const probe = { port: 8080, path: "/readyz" };

  it("is asked at its machine's address without it, as its users are", () => {
    expect(tlsService(probe, "off")).toEqual({ probe });
  });

  it("is asked on the loopback address with it, and records its stage", () => {
    expect(tlsService(probe, "prefer")).toEqual({
      probe: { ...probe, loopback: true },
      tls: "prefer",
    });
  });
});

describe("the ports at which a listener is reached", () => {
  it("are one where one takes both", () => {
    const at = (port: number, required: boolean) =>
      openPorts({ port: 9200, tls: { port, required } });
    expect(at(9200, false)).toEqual([{ port: 9200, tls: true }]);
    expect(at(9200, true)).toEqual([{ port: 9200, tls: true }]);
    expect(at(9443, false)).toEqual([
      { port: 9443, tls: true },
      { port: 9200, tls: false },
    ]);
    expect(openPorts({ port: 9200 })).toEqual([{ port: 9200, tls: false }]);
  });
});
